"""500 sendings to 20 EHRs of which three are dead: how long the other 17 take, with the dead ones and without.

A hundred rendered reports of four clinics, each for the five EHRs of its clinic. One dead EHR refuses connections, one
takes them and never answers, the packets to one are lost. Time-outs, threads and limits are the defaults.
"""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.delivery import GROUP
from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.seeding import Seed, release
from benchmarks.delivery.station import WARM_UP, Station, copied
from benchmarks.result import Result, compare
from gateway.store.engine import Database
from tests.peers.processes import LOOPBACK, free_port

CLINICS, EHRS_EACH, REPORTS, ROUNDS = 4, 5, 100, 3
TARGET = 1.2


def run(reports: int = REPORTS, rounds: int = ROUNDS) -> list[Result]:
    """Rounds with the dead ones and without, in turn."""
    beside, alone = [], []
    ehr = FastEhr()
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, _dead() as dead_urls:
        folder = Path(name)
        every, dead = _seed(folder / "seeded", ehr.url, dead_urls, reports)
        living = [one for one in every if one not in dead]
        for number in range(rounds):
            with ehr, Station(copied(folder / "seeded", folder / f"with{number}")) as station:
                station.send(WARM_UP, besides=dead)
                release(station.database, besides=living)
                beside.append(station.send(besides=dead))
            with ehr, Station(copied(folder / "seeded", folder / f"without{number}")) as station:
                station.send(WARM_UP, besides=dead)
                alone.append(station.send(besides=dead))
    what = f"{reports * EHRS_EACH} reports, 3 of {CLINICS * EHRS_EACH} EHRs dead: the others, s"
    return [compare(GROUP, what, beside, alone, "without the dead ones", TARGET)]


def _seed(folder: Path, url: str, dead_urls: list[str], reports: int) -> tuple[list[str], list[str]]:
    """The ids of all endpoints, and of the dead ones, which belong to three clinics."""
    seed = Seed(Database(f"sqlite:///{folder}/consilium.db"), folder)
    every, dead = [], []
    for clinic in range(CLINICS):
        urls = [url] * EHRS_EACH
        if clinic < len(dead_urls):
            urls[0] = dead_urls[clinic]
        ids = seed.add_clinic(*urls)
        every += ids
        dead += ids[:1] if clinic < len(dead_urls) else []
    seed.sign(reports)
    seed.database.dispose()
    return every, dead


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
