"""One gateway among strict peers, with a wire before each of them, shared by many schedules."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import httpx
from sqlalchemy import ColumnElement, func, select

from config.settings import load_settings
from gateway.domain.errors import Transient
from gateway.domain.party import DicomAddress
from gateway.services.core import Core
from gateway.store.tables import outbox
from gateway.wiring import open_core
from tests.acceptance.clock import Clock
from tests.acceptance.faults.schedule import DISTRIBUTED
from tests.acceptance.faults.wire import Wire
from tests.acceptance.gateway import AE_TITLE, PROGRAMS, Gateway, wait_for
from tests.acceptance.scene import PACS_AE_TITLE, Scene
from tests.acceptance.stage import Stage
from tests.peers.dcmtk import StoreScp
from tests.peers.postgres import Postgres
from tests.peers.processes import LOOPBACK, PeerFailure
from tests.peers.rabbitmq import RabbitMQ
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_pacs import StrictPacs

DAY = timedelta(days=1)
_TEN_YEARS_S = 10 * 366 * 86_400
_PATIENCE_S = 60
_MOVE_ON_AFTER_S = 2.0
_MOVE_ON = timedelta(seconds=35)  # longer than a message may be lost (30 s) before its row is rung for again
_SOON = timedelta(minutes=10)  # every retry here comes sooner
_POLL_S = 0.05
_IMPATIENT = {
    "CONSILIUM_WORKER__LEASE_S": "1",
    "CONSILIUM_STUDY__QUIET_PERIOD_S": "0.2",
    "CONSILIUM_RETRY__BASE_S": "0.1",
    "CONSILIUM_RETRY__CAP_S": "0.3",
    "CONSILIUM_RETRY__MAX_UNENDED": "12",  # a schedule may kill a job's worker more often than a poison message does
    "CONSILIUM_DELIVERY__RESPONSE_TIMEOUT_S": "1.5",
    "CONSILIUM_DELIVERY__CONNECT_TIMEOUT_S": "1.5",
    "CONSILIUM_DESTINATION__COOL_DOWN_S": "0.3",
    "CONSILIUM_DESTINATION__CAP_S": "0.5",
    # Files keep the machine's time when the gateway's clock jumps: the programs sweep nothing, the invariants do.
    "CONSILIUM_STORAGE__LEFTOVER_AGE_S": str(_TEN_YEARS_S),
    "CONSILIUM_DICOM__NETWORK_TIMEOUT_S": "5",
    "CONSILIUM_DICOM__DIMSE_TIMEOUT_S": "5",
}


class Unanswered(Exception):
    """A request of ours got no answer, or one that says to come again."""


class Keeper:
    """Starts again whatever program has ended, as a supervisor does."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lock = threading.RLock()
        self._special: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def restart(self, name: str, **settings: str) -> None:
        """Kill the program and start it, with these settings over the others until it ends or is calmed."""
        with self._lock:
            (self._special.add if settings else self._special.discard)(name)
            self._gateway.restart(name, **settings)

    def calm(self, name: str) -> None:
        """Have the program run with the usual settings."""
        with self._lock:
            if name in self._special:
                self.restart(name)

    def calm_all(self) -> None:
        """The same for all, and wait until they are ready."""
        for name in PROGRAMS:
            self.calm(name)
        for name in PROGRAMS:
            wait_for(lambda name=name: self._gateway.is_ready(name), f"{name} to be back")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._ended.wait(_POLL_S):
            for name, program in list(self._gateway.programs.items()):
                with self._lock:
                    if program is self._gateway.programs[name] and not program.is_running:
                        self.restart(name)


class Town(Stage):
    """The stage of one schedule after the other. `wires` are named ehr, pacs, reviewer, dicom and database."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        pacs: StrictPacs,
        ehr: StrictEhr,
        node: StoreScp,
        wires: dict[str, Wire],
        keeper: Keeper,
        clock: Clock,
        core: Core,
        postgres: Postgres | None = None,
        broker: RabbitMQ | None = None,
    ) -> None:
        pacs_address = DicomAddress(pacs.ae_title, LOOPBACK, wires["pacs"].port)
        node_address = DicomAddress(node.address.ae_title, LOOPBACK, wires["reviewer"].port)
        Scene.__init__(
            self, gateway, pacs=pacs_address, ehr_url=f"http://{LOOPBACK}:{wires['ehr'].port}/fhir", node=node_address
        )
        self.pacs, self.ehr, self.node = pacs, ehr, node
        self.wires, self.keeper, self.clock, self.core = wires, keeper, clock, core
        self.postgres, self.broker = postgres, broker

    @property
    def dicom_address(self) -> DicomAddress:
        """Where the hospital's PACS reaches the gateway."""
        return DicomAddress(AE_TITLE, LOOPBACK, self.wires["dicom"].port)

    def ask(self, client: str, method: str, path: str, resource: Any = None) -> httpx.Response:
        """A request of a client that is told the truth. Raises Unanswered for one to be made again."""
        try:
            answer = self.request(client, method, path, resource)
        except httpx.HTTPStatusError as exc:  # the token was refused
            answer = exc.response
        except httpx.TransportError as exc:
            self.keeper.calm("web")  # gunicorn starts a killed worker again, with the hook that killed it
            raise Unanswered(str(exc)) from exc
        if answer.status_code in (503, 507):
            raise Unanswered(answer.text)
        assert answer.status_code < 500, answer.text
        return answer

    def rest(self) -> None:
        """Until the outbox has nothing left to do soon; now and then time moves on, for whatever waits for it."""
        moved = [time.monotonic()]

        def is_at_rest() -> bool:
            if time.monotonic() - moved[0] > _MOVE_ON_AFTER_S:
                self.clock.advance(_MOVE_ON)
                moved[0] = time.monotonic()
            try:
                with self.database.read() as connection:
                    return not connection.execute(select(func.count()).where(self._is_moving())).scalar()
            except Transient:
                return False

        try:
            wait_for(is_at_rest, "the outbox to come to rest", _PATIENCE_S)
        except PeerFailure as failure:
            with self.database.read() as connection:
                rows = connection.execute(select(outbox).where(self._is_moving())).all()
            failure.add_note("\n".join(f"--- {dict(row._mapping)}" for row in rows))
            raise

    def _is_moving(self) -> ColumnElement[bool]:
        """A row that is worked on or due soon; what recurs by the hour has its row for the next time."""
        is_due = (outbox.c.state == "pending") & (outbox.c.next_try_at < self.clock.now() + _SOON)
        return is_due | (outbox.c.state == "claimed")


def insist(action: Callable[[], object], what: str) -> None:
    """Do it until it is answered."""

    def is_answered() -> bool:
        try:
            action()
        except (Unanswered, Transient):
            return False
        return True

    wait_for(is_answered, what, _PATIENCE_S)


@contextmanager
def open_town(folder: Path, setting: str) -> Iterator[Town]:
    """A gateway of that setting, and everybody around it."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        pacs = stack.enter_context(StrictPacs(PACS_AE_TITLE))
        ehr = stack.enter_context(StrictEhr())
        node = stack.enter_context(StoreScp("REVIEWER", folder=folder / "reviewer"))
        clock = Clock(folder / "clock")
        settings = _IMPATIENT | clock.settings
        targets = {
            "pacs": pacs.address.port,
            "reviewer": node.address.port,
            "ehr": int(ehr.root_url.rpartition(":")[2]),
        }
        postgres = broker = None
        if setting == DISTRIBUTED:
            postgres, broker = stack.enter_context(Postgres()), stack.enter_context(RabbitMQ())
            targets["database"] = postgres.port
            settings["CONSILIUM_BROKER_URL"] = broker.url
        wires = {name: stack.enter_context(Wire(port)) for name, port in targets.items()}
        if postgres is not None:
            url = postgres.create_database("consilium")
            settings["CONSILIUM_DATABASE_URL"] = url.replace(f":{postgres.port}/", f":{wires['database'].port}/")
        gateway = Gateway(folder / "gateway", by_command=False, **settings)
        gateway.folder.mkdir(exist_ok=True)
        stack.enter_context(gateway)
        wires["dicom"] = stack.enter_context(Wire(gateway.dicom_port))
        keeper = stack.enter_context(Keeper(gateway))
        core = _core(gateway)
        stack.callback(core.database.dispose)
        yield Town(
            gateway,
            pacs=pacs,
            ehr=ehr,
            node=node,
            wires=wires,
            keeper=keeper,
            clock=clock,
            core=core,
            postgres=postgres,
            broker=broker,
        )


def _core(gateway: Gateway) -> Core:
    """The gateway's stores and rules, for the invariants."""
    with patch.dict(os.environ, gateway.environment):
        return open_core(load_settings())
