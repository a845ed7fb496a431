"""An installation has one blob store: the first program records which, and every program compares its own.

With a folder on each machine a study's objects would lie on the one that received them, and work that another machine
takes over would not find them. The other way round, two installations that shared one store would sweep away what only
the other one refers to: a mark says by whose key's fingerprint it was made, and who is new to a store, or restores
into it, refuses another's (`refusal`).
"""

from collections.abc import Iterator
from pathlib import Path

from gateway.domain.blobs import Blobs
from gateway.domain.errors import Permanent, Transient
from gateway.domain.ids import new_id
from gateway.store import installation
from gateway.store.engine import Database
from gateway.store.keys import FINGERPRINT_SHOWN

_PART = "."


def new_mark(key_fingerprint: str) -> str:
    """A fresh one, by which a store is told from any other, and its installation from any other."""
    return f"{new_id()}{_PART}{key_fingerprint[:FINGERPRINT_SHOWN]}"


def refusal(mark: str, *, key_fingerprint: str, where: str, known: str | None = None) -> str:
    """Why a store with this mark must not be that of the installation with this key, and what to do; '' where it may.

    It may where it has no mark, or one that the installation's own database knows or its own key has made. A mark of an
    earlier version says nobody's key: whose database does not know it cannot say that it is its own.
    """
    own, maker = key_fingerprint[:FINGERPRINT_SHOWN], mark.partition(_PART)[2]
    if mark in ("", known) or maker == own:
        return ""
    return (
        f"{where} is the blob store of another installation (key fingerprint {maker or 'unknown'}, here {own}); name a "
        "bucket or a prefix in [blobs], or a folder, that is this installation's alone; where no other one uses it any "
        "more, remove `installation` in it; then start again"
    )


class OwnBlobs:
    """A blob store (`gateway.domain.blobs`) in which nothing is kept, read or removed unless it is the installation's.

    `where` is what people call it, and the fingerprint is that of the installation's key, '' where that is not
    known. Besides what the store raises, each method raises Transient for another one.
    """

    def __init__(self, store: Blobs, database: Database, where: str, *, key_fingerprint: str) -> None:
        self._store, self._database, self._where = store, database, where
        self._key_fingerprint = key_fingerprint
        self._is_confirmed = False

    def confirm(self) -> None:
        """From now on at the latest this is the store of the installation; asked once.

        Raises Permanent when it is another one, and Transient while database or store cannot tell.
        """
        if not self._is_confirmed:
            recorded = self._recorded()
            if recorded is None:
                self._settle_key()
                mark = self._store.mark(new_mark(self._key_fingerprint))
                if found := self._refusal(mark):
                    raise Permanent(found)
                recorded = self._record(mark)
            if found := self._problem(recorded):
                raise Permanent(found)
            self._is_confirmed = True

    def identity(self) -> str:
        """The mark of the store, '' where it has none."""
        return self._store.identity()

    def mark(self, identity: str) -> str:
        """Mark the store unless it is marked; gives the mark that it has."""
        return self._store.mark(identity)

    def put(self, content: bytes) -> str:
        """Store the bytes."""
        return self._own.put(content)

    def adopt(self, spooled: Path, digest: str) -> None:
        """Take over a spool file."""
        self._own.adopt(spooled, digest)

    def renew(self, digest: str) -> None:
        """Begin the age of a blob anew."""
        self._own.renew(digest)

    def get(self, digest: str) -> bytes:
        """The bytes."""
        return self._compared.get(digest)

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces."""
        return self._compared.stream(digest)

    def size_bytes(self, digest: str) -> int:
        """How many bytes it has."""
        return self._compared.size_bytes(digest)

    def digests(self) -> Iterator[str]:
        """Every blob there is."""
        return self._own.digests()

    def remove_stale(self, digest: str, *, before_s: float) -> bool:
        """Remove a blob whose age began before."""
        return self._own.remove_stale(digest, before_s=before_s)

    def remove_partial(self, *, before_s: float) -> int:
        """Remove what never became a blob."""
        return self._own.remove_partial(before_s=before_s)

    def require_room(self, size_bytes: int) -> None:
        """Raise Full at the reserve."""
        self._store.require_room(size_bytes)

    def check(self) -> None:
        """Return when the store can be used, and is the installation's as far as the database tells."""
        self._store.check()
        if found := self.known_problem():
            raise Transient(found)

    def known_problem(self) -> str:
        """Why the store must not be used, '' also for a database that does not answer or has recorded none yet."""
        try:
            recorded = self._recorded()
        except Transient:
            return ""
        if recorded is None:
            return self._refusal(self._store.identity()) if self._key_fingerprint else ""
        return self._problem(recorded)

    @property
    def _own(self) -> Blobs:
        try:
            self.confirm()
        except Permanent as exc:  # what was begun is not at fault: it is refused for now, and no job gives up
            raise Transient(str(exc)) from exc
        return self._store

    @property
    def _compared(self) -> Blobs:
        """To read from: that may happen inside a transaction, so nothing is recorded."""
        if not self._is_confirmed and (found := self.known_problem()):
            raise Transient(found)
        return self._store

    def _recorded(self) -> str | None:
        with self._database.read() as connection:
            if not installation.is_there(connection):
                raise Transient("the database is not of this version; run: consilium db upgrade")
            return installation.blob_store(connection)

    def _settle_key(self) -> None:
        """Have the database say whose key counts, before a store bears the mark of one that does not."""
        with self._database.write("installation.key"):
            pass  # its first transaction records or compares the key (`Database.begin_with`)

    def _record(self, mark: str) -> str:
        """Give what is recorded in the end: another program may have been first."""
        with self._database.write("installation.store") as connection:
            installation.take_turn_to_record(connection)
            recorded = installation.blob_store(connection)
            if recorded is None:
                installation.record_blob_store(connection, mark)
            return recorded or mark

    def _refusal(self, mark: str) -> str:
        return refusal(mark, key_fingerprint=self._key_fingerprint, where=self._where)

    def _problem(self, recorded: str) -> str:
        found = self._store.identity()
        if found == recorded:
            return ""
        return (
            f"{self._where} is not the blob store of this installation ({recorded}): it has "
            f"{f'the mark {found}' if found else 'no mark'}; name the one that the other machines "
            "use (several machines need one bucket, the same in [blobs] on each), and start again"
        )
