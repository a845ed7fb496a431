"""One gateway among strict peers, with a wire before each of them, shared by many schedules."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import httpx

from config.settings import load_settings
from gateway.domain.errors import Transient
from gateway.domain.party import DicomAddress
from gateway.services.core import Core
from gateway.wiring import open_core
from tests.acceptance.clock import Clock
from tests.acceptance.faults.resting import wait_for_rest
from tests.acceptance.faults.schedule import DISTRIBUTED
from tests.acceptance.faults.servers import Servers, servers
from tests.acceptance.faults.wire import Wire
from tests.acceptance.gateway import AE_TITLE, PROGRAMS, Gateway, wait_for
from tests.acceptance.scene import PACS_AE_TITLE, Scene
from tests.acceptance.stage import Stage
from tests.peers.dcmtk import StoreScp
from tests.peers.file_limits import NO_LIMIT
from tests.peers.processes import LOOPBACK
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_pacs import StrictPacs
from tests.programs import Program

_TEN_YEARS_S = 10 * 366 * 86_400
_PATIENCE_S = 180  # a broker that was killed may need half of it on a busy machine, and Celery waits between its tries
_POLL_S = 0.05
_COME_AGAIN = (401, 503, 507)
"""A token may be over before it is used, when the clock jumps."""

_opening = threading.Lock()
"""Commands are tried in this process, with the environment and the output of all its threads."""

_IMPATIENT = {
    "CONSILIUM_WORKER__LEASE_S": "1",
    "CONSILIUM_WORKER__POLL_S": "0.2",  # each look costs a hundredth of a core, and several towns share one
    "CONSILIUM_STUDY__QUIET_PERIOD_S": "0.2",
    "CONSILIUM_RETRY__BASE_S": "0.1",
    "CONSILIUM_RETRY__CAP_S": "0.3",
    "CONSILIUM_RETRY__MAX_UNENDED": "12",  # a schedule may kill a job's worker more often than a poison message does
    "CONSILIUM_DELIVERY__RESPONSE_TIMEOUT_S": "1.5",
    "CONSILIUM_DELIVERY__CONNECT_TIMEOUT_S": "1.5",
    "CONSILIUM_DELIVERY__LOOK_AGAIN_AFTER_S": "0.1",
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
        self._starting: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def restart(self, name: str, **settings: str) -> None:
        """Kill the program and start it, with these settings over the others until it ends or is calmed."""
        with self._lock:
            (self._special.add if settings else self._special.discard)(name)
            self._gateway.restart(name, **settings)

    def arm(self, name: str, hook: str) -> None:
        """Start it anew so that it kills itself at that hook; nothing calms it before it listens, or has ended."""
        with self._lock:
            self._starting.add(name)
            self.restart(name, CONSILIUM_KILL_AT=hook)
        try:
            wait_for(lambda: self._gateway.is_begun(name), f"{name} to begin", _PATIENCE_S)
        finally:
            self._starting.discard(name)

    def limit_files(self, name: str, size_bytes: int = NO_LIMIT) -> None:
        """As `Program.limit_files`, of the one that runs now; whoever is started after it has no limit."""
        with self._lock:
            program = self._gateway.programs[name]
            assert isinstance(program, Program)
            program.limit_files(size_bytes)

    def calm(self, name: str) -> None:
        """Have the program run with the usual settings, once it has begun."""
        with self._lock:
            if name in self._special - self._starting:
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
    """The stage of one schedule after the other.

    `wires` are named ehr, pacs, reviewer, web, dicom and, with `servers`, database, broker and bucket.
    """

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
        servers: Servers | None,
    ) -> None:
        self.wires = wires
        pacs_address = DicomAddress(pacs.ae_title, LOOPBACK, wires["pacs"].port)
        node_address = DicomAddress(node.address.ae_title, LOOPBACK, wires["reviewer"].port)
        Scene.__init__(
            self, gateway, pacs=pacs_address, ehr_url=f"http://{LOOPBACK}:{wires['ehr'].port}/fhir", node=node_address
        )
        self.pacs, self.ehr, self.node = pacs, ehr, node
        self.keeper, self.clock, self.core, self.servers = keeper, clock, core, servers

    @property
    def url(self) -> str:
        """Behind a wire."""
        return f"http://{LOOPBACK}:{self.wires['web'].port}"

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
        if answer.status_code in _COME_AGAIN:
            raise Unanswered(answer.text)
        assert answer.status_code < 500, answer.text
        return answer

    def rest(self) -> None:
        """Until the outbox has nothing left to do soon."""
        wait_for_rest(self.database, self.clock, _PATIENCE_S)


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
    """A gateway of that setting, and everybody around it. One is opened at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack, ExitStack() as turn:
        turn.enter_context(_opening)
        pacs = stack.enter_context(StrictPacs(PACS_AE_TITLE))
        ehr = stack.enter_context(StrictEhr())
        node = stack.enter_context(StoreScp("REVIEWER", folder=folder / "reviewer"))
        ports = {
            "pacs": pacs.address.port,
            "reviewer": node.address.port,
            "ehr": int(ehr.root_url.rpartition(":")[2]),
        }
        wires = {name: stack.enter_context(Wire(port)) for name, port in ports.items()}
        clock = Clock(folder / "clock")
        settings = _IMPATIENT | clock.settings
        around = stack.enter_context(servers(folder / "servers")) if setting == DISTRIBUTED else None
        if around is not None:
            wires |= around.wires
            settings |= around.settings
        gateway = Gateway(folder / "gateway", by_command=False, **settings)
        gateway.folder.mkdir(exist_ok=True)
        stack.enter_context(gateway)
        wires["web"] = stack.enter_context(Wire(gateway.web_port))
        wires["dicom"] = stack.enter_context(Wire(gateway.dicom_port))
        keeper = stack.enter_context(Keeper(gateway))
        core = _core(gateway)
        stack.callback(core.database.dispose)
        town = Town(
            gateway, pacs=pacs, ehr=ehr, node=node, wires=wires, keeper=keeper, clock=clock, core=core, servers=around
        )
        turn.close()
        yield town


_PATIENT = {
    "CONSILIUM_BLOBS__RESPONSE_TIMEOUT_S": "20",
    "CONSILIUM_BLOBS__RETRY_S": "60",
    "CONSILIUM_BLOBS__MAX_RETRIES": "9",
}


def _core(gateway: Gateway) -> Core:
    """The gateway's stores and rules, for the invariants; with more patience than its programs have."""
    with patch.dict(os.environ, gateway.environment | _PATIENT):
        return open_core(load_settings())
