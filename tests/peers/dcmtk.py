"""dcmtk's command-line tools as clients, and its `storescp` as a node that only listens.

Options: https://support.dcmtk.org/docs/dcmnet.html
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.party import DicomAddress
from tests.peers.processes import ENVIRONMENT, LOOPBACK, DataFolder, Peer, PeerFailure, Process, free_port

NO_NAGLE = {"TCP_NODELAY": "1"}
"""Read by dcmtk's network layer; without it each small PDU waits for the acknowledgement of the one before."""

_CLIENT_TIMEOUT_S = 120


@dataclass(frozen=True)
class Outcome:
    """How a tool ended, with stdout and stderr as one text."""

    exit_code: int
    output: str

    @property
    def is_success(self) -> bool:
        return self.exit_code == 0

    @property
    def stored(self) -> int:
        """How many instances `storescu -v` or `dcmsend -v` saw answered with 0x0000."""
        summary = re.search(r"\* with status SUCCESS\s*: (\d+)", self.output)
        return int(summary[1]) if summary else self.output.count("Received Store Response (Success)")


@functools.cache
def binary(name: str) -> str:
    """Path of dcmtk's tool. pynetdicom installs scripts of the same names beside our Python: those are passed over."""
    ours = Path(sys.executable).parent.resolve()
    folders = [each for each in os.get_exec_path() if each and Path(each).resolve() != ours]
    for folder in [*folders, "/usr/bin", "/usr/local/bin"]:
        found = shutil.which(name, path=folder)
        if found and "$dcmtk:" in _output_of((found, "--version")):
            return found
    raise PeerFailure(f"dcmtk's {name} is not installed: run tools/system-packages.sh test")


def echoscu(target: DicomAddress, *, calling: str = "ECHOSCU", options: Sequence[str] = ()) -> Outcome:
    """C-ECHO."""
    return _run("echoscu", target, calling, options)


def storescu(
    target: DicomAddress, files: Iterable[Path], *, calling: str = "STORESCU", options: Sequence[str] = ()
) -> Outcome:
    """C-STORE of files (or of folders with `+sd`) in one association.

    Proposes uncompressed transfer syntaxes unless an option such as `-xs` says otherwise, and stops at the first
    failure status with an exit code that is not 0.
    """
    return _run("storescu", target, calling, ("-v", *options), map(str, files))


def dcmsend(
    target: DicomAddress, files: Iterable[Path], *, calling: str = "DCMSEND", options: Sequence[str] = ()
) -> Outcome:
    """C-STORE of files in the transfer syntaxes they are in, going on after a refusal.

    The exit code is 0 also where an instance was refused: look at `stored`.
    """
    return _run("dcmsend", target, calling, ("-v", "--no-halt", *options), map(str, files))


def findscu(
    target: DicomAddress, keys: Mapping[str, str], *, calling: str = "FINDSCU", options: Sequence[str] = ("-S",)
) -> Outcome:
    """C-FIND, Study Root unless `options` say otherwise; the answers are dumped in the output.

    `keys`: dictionary name or `gggg,eeee` -> value, empty for "return this".
    """
    return _run("findscu", target, calling, ("-v", *options, *_keys(keys)))


def getscu(
    target: DicomAddress,
    keys: Mapping[str, str],
    folder: Path,
    *,
    calling: str = "GETSCU",
    options: Sequence[str] = ("-S",),
) -> Outcome:
    """C-GET into `folder`, bit by bit as received."""
    return _run("getscu", target, calling, ("-v", "+B", "-od", str(folder), *options, *_keys(keys)))


def movescu(
    target: DicomAddress,
    keys: Mapping[str, str],
    destination: str,
    *,
    calling: str = "MOVESCU",
    options: Sequence[str] = ("-S",),
) -> Outcome:
    """C-MOVE to the AE title `destination`, which the target has to know."""
    return _run("movescu", target, calling, ("-v", "-aem", destination, *options, *_keys(keys)))


class StoreScp(Peer):
    """dcmtk's `storescp`, writing every object as received to a file of its own in `received`, the same one twice too.

    `options` are added to the command, for instance `--refuse`, `--abort-after`, `--sleep-after 5`, `+xa`.
    """

    def __init__(
        self, ae_title: str = "STORESCP", *, folder: Path | None = None, options: Sequence[str] = ("+xa",)
    ) -> None:
        self.address = DicomAddress(ae_title, LOOPBACK, free_port())
        self._folder = DataFolder(folder)
        self.received = self._folder.path / "received"
        self.received.mkdir(exist_ok=True)
        command = [binary("storescp"), "-v", "-aet", ae_title, "-od", str(self.received), "+B", "+uf"]
        self.process = Process(
            "storescp",
            [*command, *options, str(self.address.port)],
            folder=self._folder.path,
            environment=NO_NAGLE,
        )

    def files(self) -> list[Path]:
        """What was received, oldest first."""
        return sorted(self.received.iterdir(), key=lambda path: path.stat().st_mtime_ns)

    def close(self) -> None:
        """Stop, and remove the folder if it was a temporary one."""
        self.process.stop()
        self._folder.remove()

    def _is_ready(self) -> bool:
        outcome = echoscu(self.address, options=("-to", "2", "-ta", "2", "-td", "2"))
        return outcome.is_success or "Refus" in outcome.output or "Reject" in outcome.output


def _keys(keys: Mapping[str, str]) -> list[str]:
    return [part for name, value in keys.items() for part in ("-k", f"{name}={value}" if value else name)]


def _run(
    name: str, target: DicomAddress, calling: str, options: Iterable[str], arguments: Iterable[str] = ()
) -> Outcome:
    command = (binary(name), "-aet", calling, "-aec", target.ae_title, *options, target.host, str(target.port))
    try:
        ended = subprocess.run(
            (*command, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, **NO_NAGLE},
            timeout=_CLIENT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise PeerFailure(f"{name} did not end within {_CLIENT_TIMEOUT_S} s: {expired.output!r}") from expired
    return Outcome(ended.returncode, ended.stdout.decode("utf-8", errors="replace"))


def _output_of(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout
