"""The installation of docker/compose*.yaml without containers: its settings, with other hosts, ports and paths.

Each machine has a data folder of its own; they share the database, the broker, the bucket and the secrets.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from gateway.store.keys import key_or_new
from tests.acceptance.balancer import Balancer
from tests.acceptance.clock import Clock
from tests.acceptance.faults.wire import Wire
from tests.acceptance.gateway import Gateway
from tests.acceptance.scene import PACS_AE_TITLE, Order
from tests.acceptance.theatre import Theatre
from tests.peers.compose import BASE, WITH_BUCKET, environment
from tests.peers.dcmtk import StoreScp
from tests.peers.moto import Moto
from tests.peers.postgres import Postgres
from tests.peers.processes import LOOPBACK, free_port, is_listening
from tests.peers.rabbitmq import RabbitMQ
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_pacs import StrictPacs
from tests.programs import Program

START_TIMEOUT_S = 120
TO_REVIEWER = ("study-to-reviewer", "document-to-reviewer")
TO_CLINIC = ("report-to-ehr", "report-to-pacs")
_MOUNTED = "/run/secrets/"
_IMPATIENT = {
    "CONSILIUM_WORKER__LEASE_S": "8",  # many programs share the processor: a heartbeat may come late
    "CONSILIUM_BLOBS__CONNECT_TIMEOUT_S": "1",
    "CONSILIUM_BLOBS__RESPONSE_TIMEOUT_S": "5",
    "CONSILIUM_BLOBS__RETRY_S": "2",
    "CONSILIUM_DESTINATION__COOL_DOWN_S": "0.5",
    "CONSILIUM_DESTINATION__CAP_S": "2",
}


@dataclass(frozen=True)
class Services:
    """What the programs stand on. The bucket is behind a wire: its server would forget everything when stopped."""

    database: Postgres
    broker: RabbitMQ
    store: Wire
    settings: dict[str, str]


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """Database, broker and bucket, and the variables of the compose files that lead there."""
    with ExitStack() as stack:
        database, broker = stack.enter_context(Postgres()), stack.enter_context(RabbitMQ())
        moto = stack.enter_context(Moto())
        store = stack.enter_context(Wire(moto.port))
        secrets = _secrets(folder / "secrets")
        settings = {
            name: value.replace(_MOUNTED, f"{secrets}/")
            for name, value in environment("worker", BASE, WITH_BUCKET).items()
        }
        settings["CONSILIUM_DATABASE_URL"] = database.create_database("consilium")
        settings["CONSILIUM_BROKER_URL"] = broker.url.replace("guest:guest@", "guest@")
        settings["CONSILIUM_BLOBS__ENDPOINT"] = f"http://{LOOPBACK}:{store.port}"
        settings["CONSILIUM_BLOBS__BUCKET"] = moto.create_bucket().name
        settings["CONSILIUM_WEB__HOST"] = LOOPBACK
        yield Services(database, broker, store, settings)


def _secrets(folder: Path) -> Path:
    """The files that Compose would mount; the tests' PostgreSQL and bucket let everybody in."""
    folder.mkdir(parents=True)
    words = {"database": "any", "broker": "guest", "bucket-access-key": "key", "bucket-secret-key": "secret"}
    for name, word in words.items():
        (folder / name).write_text(f"{word}\n", encoding="ascii")
    key_or_new(folder / "pseudonym-key")
    return folder


class Installation(Gateway):
    """Several of each program behind a balancer; `programs` are named "web-1", "dicom-node-2" and so on.

    Odd numbers run on the first machine, even ones on the second. `settings` are for one program each.
    """

    def __init__(
        self, folder: Path, shared: dict[str, str], numbers: dict[str, int], **settings: dict[str, str]
    ) -> None:
        super().__init__(folder, by_command=False, **(_IMPATIENT | shared))
        self.names = [f"{kind}-{n}" for kind, number in numbers.items() for n in range(1, number + 1)]
        self._settings = {name.replace("_", "-"): its for name, its in settings.items()}
        self._ports = {name: free_port() for name in self.names}
        self._balancers = {kind: Balancer(self._ports_of(kind)) for kind in ("web", "dicom-node")}
        self.web_port = self._balancers["web"].port
        self.dicom_port = self._balancers["dicom-node"].port

    def start(self, *programs: str, **settings: str) -> Self:
        """Start these, all unless named; the schema is upgraded first, as the compose file does."""
        self.cli("db", "upgrade")
        for name in programs or self.names:
            program = self.program(name, **settings)
            self.programs[name] = program.start(is_ready=partial(self.is_ready, name), timeout_s=START_TIMEOUT_S)
        return self

    def program(self, name: str, **settings: str) -> Program:
        """One that was not started yet, with its log in a folder of its name."""
        kind, _, number = name.rpartition("-")
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        own = self._settings.get(name, {})
        ports = self._port_settings(kind, self._ports.setdefault(name, free_port()))
        data = {"CONSILIUM_DATA_DIR": str(self.data_folder(int(number)))}
        return Program(kind, folder=folder, environment=self.environment | data | ports | own | settings)

    def data_folder(self, number: int) -> Path:
        """Of the machine that programs of this number run on."""
        return self.folder / f"machine-{2 - number % 2}"

    def is_ready(self, name: str) -> bool:
        """Whether the program answers; a worker answers nobody."""
        port = self._ports[name]
        if name.startswith("web"):
            url = f"http://{LOOPBACK}:{port}/readyz"
            return is_listening(port) and httpx.get(url, verify=False, timeout=30).is_success
        if name.startswith("dicom-node"):
            return is_listening(port)
        return True

    def __enter__(self) -> Self:
        for balancer in self._balancers.values():
            balancer.__enter__()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        for balancer in self._balancers.values():
            balancer.__exit__(kind, error, trace)

    def _ports_of(self, kind: str) -> list[int]:
        return [port for name, port in self._ports.items() if name.rpartition("-")[0] == kind]

    @staticmethod
    def _port_settings(kind: str, port: int) -> dict[str, str]:
        metrics = {
            "CONSILIUM_DICOM__METRICS_HOST": LOOPBACK,
            "CONSILIUM_DICOM__METRICS_PORT": str(free_port()),
            "CONSILIUM_WORKER__METRICS_HOST": LOOPBACK,
            "CONSILIUM_WORKER__METRICS_PORT": str(free_port()),
        }
        own = {"web": "CONSILIUM_WEB__PORT", "dicom-node": "CONSILIUM_DICOM__PORT"}.get(kind)
        return metrics | ({own: str(port)} if own else {})


@dataclass(frozen=True)
class Stand:
    """An installation between strict peers, on services that can be taken away."""

    installation: Installation
    services: Services
    theatre: Theatre

    def settle(self, order: Order, kinds: Sequence[str], timeout_s: float) -> None:
        """Until the case's delivery of each of these kinds has arrived."""
        for kind in kinds:
            self.theatre.scene.wait_for_delivery(order.case_id, kind, "delivered", timeout_s)


@contextmanager
def open_stand(folder: Path, numbers: dict[str, int], **settings: dict[str, str]) -> Iterator[Stand]:
    """Everything is up; `settings` as of `Installation`."""
    clock = Clock(folder / "clock")
    with (
        StrictPacs(PACS_AE_TITLE) as pacs,
        StrictEhr() as ehr,
        StoreScp("REVIEWER", folder=folder / "node") as node,
        services(folder) as shared,
        Installation(folder, shared.settings | clock.settings, numbers, **settings) as installation,
    ):
        yield Stand(installation, shared, Theatre(installation, pacs, ehr, node, clock))
