"""Sessions: begun by signing in, recognised at each request, ended by time, by the person or by an administrator.

A token is 256 random bits, which only the browser keeps; the database has its SHA-256. Every sign-in makes a new one.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.errors import NotFound
from gateway.domain.ids import new_id
from gateway.domain.people import Person
from gateway.domain.sign_in import SessionLimits, SignInPolicy, Visitor
from gateway.services.client_proof import digest
from gateway.services.core import Core
from gateway.services.people.proofs import new_secret
from gateway.store import audit, people, sessions
from gateway.store.sessions import Session

_SEEN_EVERY = timedelta(minutes=1)
"""How exactly the database knows when a session was used last."""


@dataclass(frozen=True)
class SignedIn:
    """A session that has just begun; this is the only time its token is seen in the clear."""

    person: Person
    token: str = field(repr=False)


@dataclass(frozen=True)
class Current:
    """Whose request it is, and in which session."""

    person: Person
    session: Session


def begin(
    connection: Connection, policy: SignInPolicy, person: Person, visitor: Visitor, *, now: datetime, replaced: str = ""
) -> SignedIn:
    """A new session; the one that the browser had before (the token `replaced`) ends."""
    limits, token = policy.limits, new_secret()
    sessions.purge(connection, unused_since=now - limits.idle, begun_before=now - limits.lifetime)
    sessions.end_by_token(connection, digest(replaced))
    begun = Session(new_id(), person.id, visitor.address, now, now)
    sessions.add(connection, begun, token_sha256=digest(token))
    return SignedIn(person, token)


def recognise(core: Core, policy: SignInPolicy, token: str) -> Current | None:
    """Whose session has that token; None when there is none, it is over, or the person may not sign in any more."""
    now = core.now()
    with core.database.read() as connection:
        found = sessions.by_token(connection, digest(token))
        credentials = people.find_by_id(connection, found.person_id) if found else None
    if found is None or credentials is None or _is_over(policy.limits, found, now):
        return None
    person = credentials.person
    if person.disabled_at is not None or not policy.accepts(person.issuer):
        return None
    if now - found.seen_at >= min(_SEEN_EVERY, policy.limits.idle / 2):
        with core.database.write("session.seen") as connection:
            sessions.touch(connection, found.id, now)
    return Current(person, found)


def listed(core: Core, policy: SignInPolicy, person: Person) -> list[Session]:
    """The person's sessions that are not over, newest first."""
    now = core.now()
    with core.database.read() as connection:
        found = sessions.of_person(connection, person.id)
    return [one for one in found if not _is_over(policy.limits, one, now)]


def end(core: Core, current: Current, session_id: str) -> None:
    """The person ends a session of their own. Raises NotFound for any other one."""
    with core.database.write("session.end") as connection:
        if not sessions.end(connection, current.person.id, session_id):
            raise NotFound("you have no session of that id")
        _record_end(connection, current, session_id, core.now())


def sign_out(core: Core, current: Current) -> None:
    """The person's own session of this request ends."""
    with core.database.write("user.sign-out") as connection:
        if sessions.end(connection, current.person.id, current.session.id):
            _record_end(connection, current, current.session.id, core.now())


def _record_end(connection: Connection, current: Current, session_id: str, now: datetime) -> None:
    person = current.person
    audit.record(
        connection,
        at=now,
        actor=person.actor,
        action="user.sign-out",
        subject=f"user/{person.id}",
        details={"session": session_id},
    )


def _is_over(limits: SessionLimits, session: Session, now: datetime) -> bool:
    return limits.is_over(created_at=session.created_at, seen_at=session.seen_at, now=now)
