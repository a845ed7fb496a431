"""500 reports to 20 EHRs of which three are dead: how long the other 17 take, with the dead ones and without.

One dead EHR refuses connections, one takes them and never answers, the packets to one are lost. Time-outs, threads and
limits are the defaults.
"""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.delivery import GROUP
from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.seeded import CLINICS, EHRS, REPORTS, sqlite_copy
from benchmarks.delivery.seeding import release
from benchmarks.delivery.station import WARM_UP, Station
from benchmarks.result import Result, compare
from tests.peers.processes import LOOPBACK, free_port

ROUNDS = 2
TARGET = 1.2


def run(rounds: int = ROUNDS) -> list[Result]:
    """Rounds with the dead ones and without, in turn."""
    beside, alone = [], []
    ehr = FastEhr()  # each `with` starts it on the same port, and without its memory
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, _dead() as dead_urls:
        folder, urls = Path(name), [*dead_urls, ehr.url]
        dead, living = EHRS[: len(dead_urls)], EHRS[len(dead_urls) :]
        for number in range(rounds):
            with ehr, Station(sqlite_copy(folder / f"with{number}", urls)) as station:
                station.send(WARM_UP, besides=dead)
                release(station.database, besides=living)
                beside.append(station.send(besides=dead))
            with ehr, Station(sqlite_copy(folder / f"without{number}", urls)) as station:
                station.send(WARM_UP, besides=dead)
                alone.append(station.send(besides=dead))
    what = f"{REPORTS - WARM_UP} reports, {len(dead)} of {CLINICS} EHRs dead: the others, s"
    return [compare(GROUP, what, beside, alone, "without the dead ones", TARGET)]


@contextmanager
def _dead() -> Iterator[list[str]]:
    """Three base URLs that nobody will ever answer at."""
    with socket.create_server((LOOPBACK, 0), backlog=128) as silent, _full() as full:
        ports = (free_port(), silent.getsockname()[1], full)
        yield [f"http://{LOOPBACK}:{port}/fhir" for port in ports]


@contextmanager
def _full() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel drops the first packet of every further one (listen(2))."""
    with socket.create_server((LOOPBACK, 0), backlog=0) as server:
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            waiting.append(client)
        try:
            yield int(server.getsockname()[1])
        finally:
            for client in waiting:
                client.close()
