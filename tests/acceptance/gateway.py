"""A private gateway: the three programs as processes on free ports over a data folder of their own."""

import json
import sys
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from click.testing import CliRunner

from gateway.cli import main
from gateway.domain.party import DicomAddress
from gateway.store.engine import Database
from gateway.store.keys import key_or_new
from tests.peers.processes import LOOPBACK, Process, free_port, is_listening, wait_until
from tests.programs import Program

AE_TITLE = "CONSILIUM"
PROGRAMS = ("web", "dicom-node", "worker")


class Gateway:
    """Use as a context manager, or start and kill its programs one by one. `settings` are CONSILIUM_* variables.

    The programs are forked; `by_command` starts each by its command, as an installation on several machines does.
    """

    def __init__(self, folder: Path, *, by_command: bool = False, **settings: str) -> None:
        self.folder = folder
        self._by_command = by_command
        self.web_port, self.dicom_port = free_port(), free_port()
        self.environment = {
            "CONSILIUM_DATA_DIR": str(folder / "data"),
            "CONSILIUM_WEB__PORT": str(self.web_port),
            "CONSILIUM_WEB__WORKERS": "1",
            "CONSILIUM_DICOM__HOST": LOOPBACK,
            "CONSILIUM_DICOM__PORT": str(self.dicom_port),
            "CONSILIUM_STUDY__QUIET_PERIOD_S": "0.5",
            "CONSILIUM_WORKER__POLL_S": "0.1",
            "CONSILIUM_WORKER__LEASE_S": "2",
            "CONSILIUM_RETRY__BASE_S": "0.2",
            "CONSILIUM_RETRY__CAP_S": "0.5",
            "CONSILIUM_DELIVERY__RESPONSE_TIMEOUT_S": "3",
            "CONSILIUM_DELIVERY__LOOK_AGAIN_AFTER_S": "0.2",
            "CONSILIUM_STORAGE__MIN_FREE_BYTES": "1000000",
            **settings,
        }
        self.programs: dict[str, Program | Process] = {}

    @property
    def url(self) -> str:
        """Root URL of the HTTP side."""
        return f"http://{LOOPBACK}:{self.web_port}"

    @cached_property
    def database(self) -> Database:
        """Its database, for tests that look into it."""
        embedded = f"sqlite:///{self.environment['CONSILIUM_DATA_DIR']}/consilium.db"
        return Database(self.environment.get("CONSILIUM_DATABASE_URL", embedded))

    @property
    def address(self) -> DicomAddress:
        """The DICOM side."""
        return DicomAddress(AE_TITLE, LOOPBACK, self.dicom_port)

    def start(self, *programs: str, **settings: str) -> Self:
        """Upgrade the schema and start these programs, all unless named; `settings` go over the others."""
        if "CONSILIUM_DATABASE_URL" in self.environment:
            key_or_new(self.folder / "data" / "keys" / "pseudonym.key")  # an administrator's task with a server
        self.cli("db", "upgrade")
        for name in programs or PROGRAMS:
            self.programs[name] = self._program(name, self.environment | settings)
            self.programs[name].start(is_ready=partial(self.is_ready, name))
        return self

    def restart(self, name: str, **settings: str) -> None:
        """Kill the program, if it still runs, and start it with these settings over the others, without waiting."""
        self.programs[name].stop(timeout_s=0)
        self.programs[name] = self._program(name, self.environment | settings)
        self.programs[name].begin()

    def stop(self) -> None:
        """Stop whatever runs."""
        for process in self.programs.values():
            process.stop()

    def cli(self, *arguments: str, exit_code: int = 0) -> str:
        """Run one `consilium` command on this gateway's data; gives what it printed."""
        result = CliRunner().invoke(main, list(arguments), env=self.environment, catch_exceptions=False)
        assert result.exit_code == exit_code, f"{' '.join(arguments)}: {result.exit_code}\n{result.output}"
        return result.output

    def shown(self, *arguments: str) -> Any:
        """The same with `--json`, parsed."""
        return json.loads(self.cli(*arguments, "--json"))

    def token(self, client_id: str, secret: str, url: str = "") -> str:
        """An access token by the client-credentials grant; asked for at `url` where that is another way here."""
        form = {"grant_type": "client_credentials"}
        # No TLS here, and without verify=False each call would load every certificate authority: 0.1 s. Proxies in the
        # environment are not looked for either: pytest changes it meanwhile, and other threads ask.
        url = f"{url or self.url}/oauth/token"
        answer = httpx.post(url, data=form, auth=(client_id, secret), verify=False, trust_env=False)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def logs(self) -> str:
        """Everything that the programs wrote."""
        return "\n".join(process.log() for process in self.programs.values())

    def _program(self, name: str, environment: dict[str, str]) -> Program | Process:
        if self._by_command:
            command = [sys.executable, "-m", "gateway.cli", name]
            return Process(name, command, folder=self.folder, environment=environment)
        return Program(name, folder=self.folder, environment=environment)

    def is_begun(self, name: str) -> bool:
        """Whether the program takes connections, or has ended already; of the worker, whether it was started."""
        ports = {"web": self.web_port, "dicom-node": self.dicom_port}
        return name not in ports or is_listening(ports[name]) or not self.programs[name].is_running

    def is_ready(self, name: str) -> bool:
        """Whether the program answers; of the worker, whether it runs."""
        if name == "web":
            return self._is_web_ready()
        if name == "dicom-node":
            return is_listening(self.dicom_port)
        return self.programs[name].is_running

    def _is_web_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", verify=False, trust_env=False).is_success
        except httpx.TransportError:  # it begins, or ends
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.database.dispose()


def wait_for(condition: Any, waiting_for: str, timeout_s: float = 30) -> None:
    """Until `condition()` is true; PeerFailure after `timeout_s`."""
    wait_until(condition, timeout_s=timeout_s, waiting_for=waiting_for)
