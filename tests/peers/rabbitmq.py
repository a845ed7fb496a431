"""RabbitMQ, started from the system's package: a private node with a folder, ports, a cookie and an epmd of its own.

Variables: https://www.rabbitmq.com/docs/configure#supported-environment-variables
"""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from kombu import Connection

from tests.peers.processes import LOOPBACK, DataFolder, Peer, PeerFailure, Process, free_port

_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_ACCOUNT = "rabbitmq"
_CONTROL_TIMEOUT_S = 60
_START_TIMEOUT_S = 90
"""An Erlang node needs 6 s of a core to boot, and the cores are shared."""


class RabbitMQ(Peer):
    """One node on free ports. `stop` and `start` keep its data, `wipe` throws them away."""

    def __init__(self, *, folder: Path | None = None) -> None:
        self.port = free_port()
        self._distribution_port, self._epmd_port = free_port(), free_port()
        self._folder = DataFolder(folder)
        self._data = self._folder.path / "rabbitmq"
        self.process = Process("rabbitmq", self._command(), folder=self._folder.path, environment=self._environment())

    @property
    def url(self) -> str:
        """As Celery wants it."""
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}//"

    def start(self) -> Self:
        """Start, again with the data of before, and wait until a client is let in."""
        self._data.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            self._folder.path.chmod(0o755)  # a temporary folder is closed to others
            account = pwd.getpwnam(_ACCOUNT)
            os.chown(self._data, account.pw_uid, account.pw_gid)
        self.process.start(is_ready=self._is_ready, timeout_s=_START_TIMEOUT_S)
        return self

    def stop(self) -> None:
        """An orderly end; queues and their messages stay on the disk."""
        self.process.stop(timeout_s=30)
        self._end_epmd()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self._end_epmd()

    def close(self) -> None:
        """Kill it and remove its folder; nobody asks for its data any more."""
        self.kill()
        self._folder.remove()

    def wipe(self) -> None:
        """Forget every queue and message. The node has to be stopped."""
        if self.process.is_running:
            raise PeerFailure("stop RabbitMQ before its data are wiped")
        shutil.rmtree(self._data)

    def control(self, *arguments: str) -> None:
        """What `rabbitmqctl` does with the running node: users, permissions, virtual hosts, connections."""
        command = (*_as_its_account(), str(_SCRIPTS / "rabbitmqctl"), *arguments)
        environment = os.environ | self._environment()
        done = subprocess.run(command, check=False, env=environment, capture_output=True, timeout=_CONTROL_TIMEOUT_S)
        if done.returncode != 0:
            raise PeerFailure(f"rabbitmqctl {arguments[0]}: {(done.stderr or done.stdout).decode(errors='replace')}")

    def run_out_of_memory(self) -> None:
        """Its alarm goes off: from now on it reads nothing of whoever publishes (https://www.rabbitmq.com/docs/alarms)."""
        self.control("set_vm_memory_high_watermark", "0")

    def have_memory(self) -> None:
        """The alarm is over."""
        self.control("set_vm_memory_high_watermark", "0.4")

    def stand_still(self) -> None:
        """SIGSTOP: its machine still answers for it. It can be killed as it is."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def _command(self) -> tuple[str, ...]:
        server = _SCRIPTS / "rabbitmq-server"  # not the wrapper in /usr/sbin, which insists on the system's own node
        if not server.exists():
            raise PeerFailure("RabbitMQ is not installed: sh tools/system-packages.sh test")
        return (*_as_its_account(), str(server))

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self._data),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # it may be ended although it still lists a node that was killed
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self._data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._data / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._data / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._data / "rabbitmq"),
        }

    def _is_ready(self) -> bool:
        with Connection(self.url, connect_timeout=2) as connection:  # type: ignore[no-untyped-call]  # kombu has no types
            try:
                connection.connect()
            except OSError:
                return False
        return True

    def _end_epmd(self) -> None:
        """Erlang's port mapper outlives its nodes and leaves their process group."""
        command = ("epmd", "-port", str(self._epmd_port), "-kill")
        killed = subprocess.run(command, check=False, env=os.environ | self._environment(), capture_output=True)
        if killed.returncode not in (0, 1):  # 1: none was running
            raise PeerFailure(f"epmd did not end: {killed.stderr.decode(errors='replace')}")


def _as_its_account() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid", _ACCOUNT, "--regid", _ACCOUNT, "--init-groups")
