"""Which of the gateway's files others on this machine can reach: an older version may have left them open."""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from config.settings import Settings
from gateway.domain.diagnosis import Step

_OPEN_TO_OTHERS = 0o077
_OPEN_TO_MORE_THAN_READERS = 0o037


def is_open(path: Path) -> bool:
    """The group or others may read, write or enter it. Raises OSError where it cannot be looked at."""
    return bool(stat.S_IMODE(path.stat().st_mode) & _OPEN_TO_OTHERS)


def exposure(settings: Settings) -> Step:
    """The data folder, the database files, and the files of keys and passwords are their owner's alone."""
    found = [path for path in _private(settings) if os.access(path, os.F_OK)]
    if not found:
        return Step("privacy", True, "nothing is there yet")
    exposed = [path for path in found if is_open(path) and not _is_shared(path, settings)]
    if not exposed:
        return Step("privacy", True, f"{settings.data_dir}, database and secrets are open to their owner only")
    names = ", ".join(map(str, exposed))
    remedy = f"chmod go= {shlex.join(map(str, exposed))}"
    return Step("privacy", False, f"open to the group or to others: {names}", remedy)


def _is_shared(path: Path, settings: Settings) -> bool:
    """A password that a group may read and nobody else: the server it belongs to has to read it as well."""
    passwords = {Path(name) for name in _password_files(settings) if name}
    return path in passwords and not path.stat().st_mode & _OPEN_TO_MORE_THAN_READERS


def _private(settings: Settings) -> Iterator[Path]:
    data = settings.data_dir
    yield from (data, settings.blob_dir, settings.spool_dir, settings.pseudonym_key_path)
    yield from sorted(data.glob("*.db*"))
    yield from (Path(name) for name in _secret_files(settings) if name)


def _secret_files(settings: Settings) -> tuple[str, ...]:
    return *_password_files(settings), settings.dicom.tls_key_file


def _password_files(settings: Settings) -> tuple[str, ...]:
    """What the gateway shows to a server: database, broker, bucket."""
    of_bucket = settings.blobs.access_key_file, settings.blobs.secret_key_file
    return settings.database_password_file, settings.broker_password_file, *of_bucket
