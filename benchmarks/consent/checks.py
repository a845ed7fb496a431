"""What part of sending a study of 400 slices the checks are: the decision with its record and grant, and 400 looks.

Slices of 512 kB go to DCMTK's storescp over one association; SQLite and PostgreSQL sync as in production.
Beside the whole time of the sending stands the time spent in `egress.grant` and in `Permission.ask`, which asks before
every slice, and in waiting for its answer. One slice is sent before, and not measured: what a worker does once in its
life, reading its modules and building its statements, is no part of a sending.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from benchmarks.consent import GROUP
from benchmarks.result import Result, compare
from dicom_node import scu
from gateway.domain.record import Delivery
from gateway.domain.work import JobKind
from gateway.services import delivery as sending
from gateway.services import egress
from gateway.services.outside import Outside
from gateway.services.sending import Leave, Permission
from gateway.services.work import run_job
from gateway.store import outbox
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.peers import dcmtk
from tests.peers.generated import ct_series, part10
from tests.peers.postgres import Postgres
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

SLICES, ROUNDS = 400, 3
LIMIT_PERCENT = 2.0
_TIMEOUTS = scu.Timeouts(connect_s=5, association_s=10, response_s=60)
T = TypeVar("T")


@dataclass
class _Spent:
    seconds: float = 0.0

    def on(self, work: Callable[..., T]) -> Callable[..., T]:
        """The same work, its time added up."""

        def timed(*given: Any, **named: Any) -> T:
            begin = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                self.seconds += time.perf_counter() - begin

        return timed


def run() -> list[Result]:
    """Some rounds on each database, each with an installation of its own."""
    with Postgres() as server:
        names = (f"checks{number}" for number in count(1))
        return [
            *_compared("SQLite", lambda folder: f"sqlite:///{folder}/consilium.db"),
            *_compared("PostgreSQL", lambda _folder: server.create_database(next(names))),
        ]


def _compared(kind: str, url_of: Callable[[Path], str]) -> list[Result]:
    wholes, checks = zip(*(_round(url_of) for _ in range(ROUNDS)), strict=True)
    parts = [100 * check / whole for check, whole in zip(checks, wholes, strict=True)]
    name = f"{kind}: checks of a study of {SLICES} slices"
    return [
        compare(GROUP, f"{name}, s", list(checks), list(wholes), "the whole sending", None),
        compare(GROUP, f"{name}, % of its sending", parts, [LIMIT_PERCENT], "the limit", 1.0),
    ]


def _round(url_of: Callable[[Path], str]) -> tuple[float, float]:
    """Seconds of the whole sending, and of the checks in it; one slice went before."""
    image = ct_series(slices=1, edge_pixels=512)[0]
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, dcmtk.StoreScp("REVIEWER") as node:
        folder = Path(name)
        with _scenery(folder, url_of(folder)) as scenery:
            scenery.consent(DISCLOSE)
            contexts = [(str(image.SOPClassUID), str(image.file_meta.TransferSyntaxUID))]
            outside, content = _outside(node, contexts, folder), part10(image)
            first = scenery.images("2.25.0", content=content)
            _sent(scenery, outside, first)
            uids = [f"2.25.{number}" for number in range(1, SLICES + 1)]
            return _sent(scenery, outside, scenery.images(*uids, content=content, after=first))


def _sent(scenery: Scenery, outside: Outside, delivery: Delivery) -> tuple[float, float]:
    """Seconds of the whole sending, and of the checks in it."""
    with scenery.core.database.write("test") as connection:
        outbox.enqueue(connection, JobKind.DELIVERY_SEND, delivery.id, case_id=None, now=scenery.clock())
        job = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
    handlers = {JobKind.DELIVERY_SEND: partial(sending.send, scenery.core, outside=outside)}
    if job is None:
        raise RuntimeError("nothing is to be sent")
    spent, begin = _Spent(), time.perf_counter()
    with (
        patch.object(egress, "grant", spent.on(egress.grant)),
        patch.object(Permission, "ask", spent.on(Permission.ask)),
        patch.object(Leave, "__call__", spent.on(Leave.__call__)),
    ):
        run_job(scenery.core, job.id, handlers)
    whole = time.perf_counter() - begin
    if scenery.delivery(delivery.id).state != "delivered":
        raise RuntimeError(f"not delivered: {scenery.delivery(delivery.id).last_error}")
    return whole, spent.seconds


@contextmanager
def _scenery(folder: Path, url: str) -> Iterator[Scenery]:
    database = Database(url)
    upgrade(database)
    try:
        yield Scenery(database, folder)
    finally:
        database.dispose()


def _outside(node: dcmtk.StoreScp, contexts: list[tuple[str, str]], spool: Path) -> Outside:
    unused: Any = None
    return Outside(
        open_sender=lambda _address, _contexts: scu.open_sender(
            node.address, "CONSILIUM", contexts, _TIMEOUTS, spool_folder=spool
        ),
        find_study=unused,
        has_instance=unused,
        find_instances=unused,
        deliver_report=unused,
        render=unused,
        look_again_after_s=60.0,
    )
