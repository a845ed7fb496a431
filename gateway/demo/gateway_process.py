"""The demo's gateway: `consilium up` as a child process over a folder of its own, and the command `consilium` on it."""

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gateway.demo.places import LOOPBACK, free_ports
from gateway.demo.waiting import StepFailed, wait_until
from gateway.domain.party import DicomAddress

AE_TITLE = "CONSILIUM"
READY_WITHIN_S = 40.0
_STOP_WITHIN_S = 25.0
_LOG_LINES = 40
_QUIET_PERIOD_S = 2.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)

_SETTINGS = """\
# Written by `consilium demo`; every setting is explained in consilium.example.toml.
data_dir = {data_dir}

[web]
host = "{host}"
port = {web_port}
workers = 1

[dicom]
host = "{host}"
port = {dicom_port}

[study]
quiet_period_s = {quiet_period_s}

[retry]
base_s = 1.0

[storage]
min_free_bytes = 100_000_000
"""


class Gateway:
    """Everything of this gateway is in `folder`: its settings, its data and its log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings_file = folder / "consilium.toml"
        self.log_file = folder / "gateway.log"
        self._web_port, dicom_port = free_ports(2)
        self.root_url = f"http://{LOOPBACK}:{self._web_port}"
        self.dicom = DicomAddress(AE_TITLE, LOOPBACK, dicom_port)
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("CONSILIUM_")}
        self._environment = inherited | {"CONSILIUM_CONFIG": str(self.settings_file)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the settings and start; `wait_until_ready` says when it may be used."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings_file.write_text(
            _SETTINGS.format(
                data_dir=json.dumps(str(self.folder / "data")),  # a JSON string is a TOML string
                host=LOOPBACK,
                web_port=self._web_port,
                dicom_port=self.dicom.port,
                quiet_period_s=_QUIET_PERIOD_S,
            )
        )
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                _command("up"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                process_group=0,  # Ctrl-C is for the demo, which then stops the gateway in order
                preexec_fn=_stop_with(os.getpid()),  # noqa: PLW1509 - nothing else runs in this process yet
            )

    def wait_until_ready(self) -> None:
        """Raises StepFailed when it ends or is not ready in time."""
        wait_until(self._is_ready, waiting_for="the gateway to answer", within_s=READY_WITHIN_S)

    def stop(self) -> None:
        """Stop it in order; what has not ended in time is killed."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its own children die with it
            self._process.wait()

    def run(self, *commands: tuple[str, ...]) -> list[str]:
        """What `consilium ARGUMENTS` prints, for several at the same time. Raises StepFailed with its words."""
        running = [(arguments, self.ask(*arguments)) for arguments in commands]
        return [_printed(process, arguments) for arguments, process in running]

    def ask(self, *arguments: str) -> subprocess.Popen[str]:
        """The command under way; the caller waits for it."""
        return subprocess.Popen(
            _command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            encoding="utf-8",
        )

    def log_tail(self) -> str:
        """The last lines of its log."""
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return "\n".join(text.splitlines()[-_LOG_LINES:])

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise StepFailed("the gateway ended while starting")
        try:
            socket.create_connection((self.dicom.host, self.dicom.port), timeout=1).close()
            return self._says_ready()
        except (OSError, http.client.HTTPException):
            return False

    def _says_ready(self) -> bool:
        with closing(http.client.HTTPConnection(LOOPBACK, self._web_port, timeout=5)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gateway.cli", *arguments]


def _printed(process: subprocess.Popen[str], arguments: tuple[str, ...]) -> str:
    output, errors = process.communicate()
    if process.returncode != 0:
        raise StepFailed(f"consilium {' '.join(arguments[:2])} ended with {process.returncode}: {errors.strip()}")
    return output


def _stop_with(parent_id: int) -> Callable[[], None]:
    """The kernel tells the gateway to stop when the demo is killed."""

    def _before_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_id:
            os._exit(1)

    return _before_exec
