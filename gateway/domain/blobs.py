"""What is asked of the place where immutable bytes are kept, wherever that is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from gateway.domain.errors import Damaged, NotFound, Transient


class Blobs(Protocol):
    """Immutable bytes by their SHA-256 (64 lower-case hexadecimal digits).

    What `put` and `adopt` return from is durable. Whoever is about to refer to a blob puts, adopts or renews it first,
    which begins its age anew, and commits the row well before the age at which `remove_stale` takes what no row refers
    to.
    """

    def identity(self) -> str:
        """The mark by which an installation knows its store, '' where it has none. Raises Transient."""
        ...

    def mark(self, identity: str) -> str:
        """Mark the store, durably, unless it is marked already; gives the mark that it has. Raises Full, Transient."""
        ...

    def put(self, content: bytes) -> str:
        """Store the bytes durably and give their SHA-256; the same bytes again are a no-op. Raises Full, Transient."""
        ...

    def adopt(self, spooled: Path, digest: str) -> None:
        """Take over a spool file, already fsynced; `digest` is its SHA-256. Raises Full, Transient."""
        ...

    def renew(self, digest: str) -> None:
        """Begin the age of a blob anew, since a row will refer to it. Raises Transient when it is not there."""
        ...

    def get(self, digest: str) -> bytes:
        """The bytes. Raises NotFound, and Transient when they cannot be read or do not match their name any more."""
        ...

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces, of which none is good before the last one has come. Raises as `get`."""
        ...

    def size_bytes(self, digest: str) -> int:
        """How many bytes it has, none of which is read. Raises NotFound, Transient."""
        ...

    def digests(self) -> Iterator[str]:
        """Every blob there is, in order. Raises Transient."""
        ...

    def remove_stale(self, digest: str, *, before_s: float) -> bool:
        """Remove a blob whose age began before `before_s` (seconds since the epoch); False when it is younger.

        Raises Transient.
        """
        ...

    def remove_partial(self, *, before_s: float) -> int:
        """Remove what never became a blob and has not grown since `before_s`; gives how much. Raises Transient."""
        ...

    def require_room(self, size_bytes: int) -> None:
        """Raise Full when accepting this much would leave less than the reserve."""
        ...

    def check(self) -> None:
        """Return when the store can be used now; a cheap look that writes nothing. Raises Full or Transient."""
        ...


def absent(digest: str) -> NotFound:
    """What is raised for a blob that is not there."""
    return NotFound(f"blob {digest[:12]} is not in the store")


def damaged(digest: str) -> Damaged:
    """What is raised for bytes that do not match their name any more."""
    return Damaged(f"blob {digest[:12]} is damaged; restore it from the backup")


def gone(digest: str) -> Transient:
    """What is raised to whoever was about to refer to a blob that is no longer there."""
    return Transient(f"blob {digest[:12]} has to be stored again")
