"""PostgreSQL, started from the system's package: a private server with a data folder and a port of its own.

Programs: https://www.postgresql.org/docs/15/reference-server.html
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg

from tests.peers.processes import LOOPBACK, DataFolder, Peer, PeerFailure, Process, free_port

_PROGRAMS = Path("/usr/lib/postgresql")
_ACCOUNT = "postgres"
_USER = "consilium"
_OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "16MB",
    "fsync": "off",  # the tests kill processes of the gateway, never the machine under the database
}


class Postgres(Peer):
    """One server. Whoever reaches the port of the loopback address is let in; the data go with `close`.

    `options` are settings of the server, over those of the tests.
    """

    def __init__(self, *, folder: Path | None = None, **options: str) -> None:
        self.port = free_port()
        self._folder = DataFolder(folder)
        self._data = self._folder.path / "data"
        self._programs = _programs()
        self._options = {**_OPTIONS, **options, "port": str(self.port)}
        self.process = Process("postgres", self._command(), folder=self._folder.path)

    def url(self, name: str = "postgres") -> str:
        """Of one database, as SQLAlchemy wants it."""
        return f"postgresql+psycopg://{_USER}@{LOOPBACK}:{self.port}/{name}"

    def start(self) -> Self:
        """Start, again with the data of before, and wait until a client is let in."""
        if not self._data.exists():
            self._initialise()
        self.process.start(is_ready=self._is_ready)
        return self

    def stop(self) -> None:
        """A fast shutdown (SIGINT): clients are cut off, the data stay.

        Never SIGKILL to begin with: it would leave the server's shared memory behind.
        """
        if self.process.is_running:
            os.kill(self.process.pid, signal.SIGINT)
        self.process.stop(timeout_s=30)

    def crash(self) -> None:
        """An immediate shutdown (SIGQUIT): nothing is written out, and the next start recovers from the log."""
        os.kill(self.process.pid, signal.SIGQUIT)
        self.process.stop(timeout_s=30)

    def close(self) -> None:
        """Stop, and remove the data folder if it was a temporary one."""
        self.stop()
        self._folder.remove()

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """A new database, a copy of `template`; gives its URL."""
        with self._administration() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Whoever is still connected to it is cut off."""
        with self._administration() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    @contextlib.contextmanager
    def _administration(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            yield connection

    def _conninfo(self) -> str:
        return f"host={LOOPBACK} port={self.port} user={_USER} dbname=postgres connect_timeout=5"

    def _is_ready(self) -> bool:
        try:
            with self._administration():
                return True
        except psycopg.OperationalError:
            return False

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            self._folder.path.chmod(0o755)  # a temporary folder is closed to others
            account = pwd.getpwnam(_ACCOUNT)
            os.chown(self._data, account.pw_uid, account.pw_gid)
        options = ("--username", _USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
        command = self._as_account(str(self._programs / "initdb"), "--pgdata", str(self._data), *options)
        made = subprocess.run(command, cwd=self._folder.path, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise PeerFailure(f"initdb ended with exit code {made.returncode}:\n{made.stderr}")

    def _command(self) -> tuple[str, ...]:
        options = [f"--{name}={value}" for name, value in self._options.items()]
        return self._as_account(str(self._programs / "postgres"), "-D", str(self._data), *options)

    def _as_account(self, *command: str) -> tuple[str, ...]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return command
        return ("setpriv", "--reuid", _ACCOUNT, "--regid", _ACCOUNT, "--init-groups", *command)


def _programs() -> Path:
    """The folder with `initdb` and `postgres` of the newest version installed; Debian keeps it out of PATH."""
    versions = [path.parent for path in _PROGRAMS.glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    if found is None:
        raise PeerFailure("PostgreSQL is not installed: run tools/system-packages.sh test")
    return Path(found).resolve().parent
