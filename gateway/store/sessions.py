"""Sessions of people. Only SHA-256 digests of their tokens are kept, so a copy of the database opens nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from gateway.store.tables import person_session


@dataclass(frozen=True)
class Session:
    """One browser in which a person is signed in."""

    id: str
    person_id: str
    address: str
    created_at: datetime
    seen_at: datetime


_SHOWN = (
    person_session.c.id,
    person_session.c.person_id,
    person_session.c.address,
    person_session.c.created_at,
    person_session.c.seen_at,
)


def add(connection: Connection, new: Session, *, token_sha256: str) -> None:
    """Remember a session by the digest of its token."""
    row = {"id": new.id, "token_sha256": token_sha256, "person_id": new.person_id, "address": new.address}
    connection.execute(insert(person_session).values(row | {"created_at": new.created_at, "seen_at": new.seen_at}))


def by_token(connection: Connection, token_sha256: str) -> Session | None:
    """The session with that token, over or not."""
    row = connection.execute(select(*_SHOWN).where(person_session.c.token_sha256 == token_sha256)).one_or_none()
    return None if row is None else Session(*row)


def of_person(connection: Connection, person_id: str) -> list[Session]:
    """Newest first."""
    query = select(*_SHOWN).where(person_session.c.person_id == person_id)
    return [Session(*row) for row in connection.execute(query.order_by(person_session.c.created_at.desc()))]


def touch(connection: Connection, session_id: str, now: datetime) -> None:
    """It is used at this moment."""
    connection.execute(update(person_session).where(person_session.c.id == session_id).values(seen_at=now))


def end(connection: Connection, person_id: str, session_id: str) -> bool:
    """Whether it was there, and the person's."""
    is_it = (person_session.c.id == session_id) & (person_session.c.person_id == person_id)
    return connection.execute(delete(person_session).where(is_it)).rowcount == 1


def end_by_token(connection: Connection, token_sha256: str) -> None:
    """Whosever it is."""
    connection.execute(delete(person_session).where(person_session.c.token_sha256 == token_sha256))


def end_all(connection: Connection, person_id: str) -> int:
    """How many there were."""
    return connection.execute(delete(person_session).where(person_session.c.person_id == person_id)).rowcount


def end_everybodys(connection: Connection) -> None:
    """All of them: who signed out since a backup is not signed in again by it."""
    connection.execute(delete(person_session))


def purge(connection: Connection, *, unused_since: datetime, begun_before: datetime) -> None:
    """Remove those that are over."""
    is_over = (person_session.c.seen_at <= unused_since) | (person_session.c.created_at <= begun_before)
    connection.execute(delete(person_session).where(is_over))
