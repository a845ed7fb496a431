"""The secret key behind pseudonyms: a file of its own, readable by its owner only."""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from gateway.domain.errors import Conflict, Permanent
from gateway.store.disk import sync

KEY_BYTES = 32
FINGERPRINT_SHOWN = 16
_FINGERPRINT_LABEL = b"consilium pseudonym key fingerprint"


def existing_key(path: Path) -> bytes:
    """The key in `path`. Raises Permanent when there is none, it is too short, or others may read it."""
    try:
        mode = path.stat().st_mode
        key = path.read_bytes()
    except OSError as exc:
        remedy = "copy it from its safe or from another machine of this installation"
        new = f"only a new installation makes one: openssl rand -out {path} 32"
        raise Permanent(f"the key file {path} cannot be read ({exc.strerror}); {remedy}; {new}") from exc
    if mode & 0o077:
        raise Permanent(f"the key file {path} is open to others; run: chmod 600 {path}")
    if len(key) < KEY_BYTES:
        raise Permanent(f"the key file {path} is shorter than {KEY_BYTES} bytes; restore it from its copy")
    return key


def fingerprint_of(key: bytes) -> str:
    """Tells two keys apart, and helps nobody to find one: HMAC-SHA-256 of a fixed label (RFC 2104).

    A pseudorandom function under a random key of 256 bits says nothing of it, nor of its other values (the label keeps
    this purpose apart, NIST SP 800-108r1 section 4: what pseudonyms are made of begins with a short length).
    """
    return hmac.new(key, _FINGERPRINT_LABEL, hashlib.sha256).hexdigest()


def shown(key: bytes) -> str:
    """The beginning of its fingerprint, for people to compare."""
    return fingerprint_of(key)[:FINGERPRINT_SHOWN]


def key_or_new(path: Path) -> bytes:
    """The key in `path`, made of random bytes and durable when the file is not there yet.

    Processes that start at the same moment end with the same key: the file appears whole, and only once.
    """
    _make(path, secrets.token_bytes(KEY_BYTES))
    return existing_key(path)


def place_key(path: Path, key: bytes) -> None:
    """Have this key of a backup in `path`. Raises Conflict when another one is there; it is never overwritten."""
    if not path.exists():
        _make(path, key)
    if existing_key(path) != key:
        raise Conflict(
            f"the key file {path} holds another key (fingerprint {shown(existing_key(path))}) than the backup "
            f"({shown(key)}); move it away if no pseudonym was ever made with it"
        )


def _make(path: Path, key: bytes) -> None:
    """Unless there is one. One process at a time: what lies there half made is of one that was killed, and goes."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half_made = re.compile(rf"\.{re.escape(path.name)}(\.\d+\.[0-9a-f]{{8}}|\.[0-9a-f]{{16}})")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for one in path.parent.iterdir():
            if half_made.fullmatch(one.name):
                one.unlink()
        if not path.exists():
            _write(path, key)
    finally:
        os.close(folder)


def _write(path: Path, key: bytes) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    _publish(partial, path)


def _publish(partial: Path, path: Path) -> None:
    try:
        path.hardlink_to(partial)
    except FileExistsError:  # another process was first; its key counts
        return
    finally:
        partial.unlink()
    sync(path.parent)
