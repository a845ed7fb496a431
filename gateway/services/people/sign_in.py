"""Signing in with a password and a second factor of ours. A refusal says neither what was wrong nor who there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.errors import Forbidden, Unauthenticated
from gateway.domain.people import Person
from gateway.domain.sign_in import SignInPolicy, Visitor
from gateway.services.client_proof import digest
from gateway.services.core import Core
from gateway.services.people import delays, proofs, tickets
from gateway.services.people.proofs import new_secret
from gateway.services.people.sessions import SignedIn, begin
from gateway.services.people.tickets import TicketKind
from gateway.store import audit, people
from gateway.store.people import Credentials

NOT_RIGHT = "the name, the password or the code is not right"
DEVICE_KEPT = timedelta(days=90)
"""How long a browser counts as one that the person has signed in with."""
_AUTH = "user.sign-in"


class NotRight(Unauthenticated):
    """What was shown proves nobody; the row that says so is committed."""


@dataclass(frozen=True)
class SignedInHere:
    """A session that has just begun, and the secret by which the browser is known the next time."""

    signed_in: SignedIn
    device: str = field(repr=False)


def require_local(policy: SignInPolicy) -> None:
    """Raises Forbidden where only an identity provider vouches for people."""
    if not policy.has_local_accounts:
        raise Forbidden("there are no passwords here: sign in through your identity provider")


def check_password(core: Core, policy: SignInPolicy, *, name: str, password: str, visitor: Visitor) -> str:
    """The first step; gives the ticket to the second one.

    Raises NotRight, alike for unknown, disabled and wrong, Throttled, and Forbidden without local accounts.
    """
    require_local(policy)
    name = name.strip().lower()
    with core.database.read() as connection:
        found = people.find(connection, name)
        watched = _watched(connection, name, found, visitor)
    wait = delays.charge(core, watched)
    password_hash = found.password_hash if found and found.person.disabled_at is None else None
    if not proofs.is_password(password_hash, password, policy.hashing) or found is None or password_hash is None:
        record_failure(core, found.person if found else None, "password", visitor, wait)
        raise NotRight(NOT_RIGHT)
    if proofs.needs_rehash(password_hash, policy.hashing):
        password_hash = _rehash(core, policy, found, password)
    values = {"person": found.person.id, "proof": digest(password_hash)}
    return tickets.issue(core, TicketKind.SECOND_FACTOR, values)


def proven_first(core: Core, ticket: str) -> Mapping[str, str]:
    """What the first step has proven. Raises Unauthenticated for a ticket that is none, or is over."""
    return tickets.read(core, TicketKind.SECOND_FACTOR, ticket)


def check_second_factor(
    core: Core, policy: SignInPolicy, *, proven: Mapping[str, str], code: str, visitor: Visitor, replaced: str = ""
) -> SignedInHere:
    """The second step: a code of the app, or a recovery code, each good once. A new session begins.

    `replaced` is the token of the session that the browser had before. `proven` is what the ticket of the first step
    says (`proven_first`). Raises NotRight and Throttled.
    """
    require_local(policy)
    person_id, now = proven["person"], core.now()
    of_code = delays.of_second_factor(person_id)
    wait = delays.charge(core, of_code)
    with core.database.write("user.sign-in") as connection:
        found = people.lock(connection, person_id)
        method = _method(core, connection, found, proven["proof"], code)
        if found is not None and method:
            person, device = found.person, new_secret()
            delays.settle(connection, (*of_code, *_watched(connection, person.name, found, visitor)), now)
            signed_in = begin(connection, policy, person, visitor, now=now, replaced=replaced)
            people.remove_devices(connection, before=now - DEVICE_KEPT)
            people.add_device(connection, person.id, digest(device), now=now)
            record_sign_in(connection, person, method, visitor, now=now)
            return SignedInHere(signed_in, device)
    record_failure(core, found.person if found else None, "second factor", visitor, wait)
    raise NotRight(NOT_RIGHT)


def record_sign_in(connection: Connection, person: Person, method: str, visitor: Visitor, *, now: datetime) -> None:
    """Somebody signed in, and how."""
    audit.record(
        connection,
        at=now,
        actor=person.actor,
        action=_AUTH,
        subject=f"user/{person.id}",
        details={"by": method, "address": visitor.address},
    )


def use_code(core: Core, connection: Connection, found: Credentials, code: str) -> str:
    """How the code proves the person, who is locked: `totp` or `recovery code`, and '' when it does not."""
    person_id, typed = found.person.id, proofs.plain_code(code)
    if found.totp_sealed is None:
        return ""
    step = proofs.totp_step(proofs.unseal_secret(core, person_id, found.totp_sealed), typed, core.now())
    if step is not None:
        return "totp" if people.use_step(connection, person_id, step) else ""
    return "recovery code" if people.use_recovery_code(connection, person_id, digest(typed)) else ""


def _method(core: Core, connection: Connection, found: Credentials | None, proof: str, code: str) -> str:
    """As `use_code`, while the password of the first step is still the person's."""
    if found is None or found.person.disabled_at is not None or digest(found.password_hash or "") != proof:
        return ""
    return use_code(core, connection, found, code)


def _watched(
    connection: Connection, name: str, found: Credentials | None, visitor: Visitor
) -> Sequence[delays.Watched]:
    person_id = found.person.id if found else ""
    if people.has_device(connection, person_id, digest(visitor.device)) and found is not None:
        return delays.of_known_device(found.person)
    return delays.of_name(name, visitor)


def _rehash(core: Core, policy: SignInPolicy, found: Credentials, password: str) -> str:
    """The same password with the parameters of today, unless it was changed meanwhile."""
    renewed = proofs.hashed(password, policy.hashing)
    with core.database.write("user.rehash") as connection:
        people.replace_password(connection, found.person.id, found.password_hash, renewed)
    return renewed


def record_refused_attempt(core: Core, by: str, wrong: str, visitor: Visitor) -> None:
    """An attempt that says nothing of who came; `by` and `wrong` are codes of ours."""
    with core.database.write("user.refuse") as connection:
        audit.record(
            connection,
            at=core.now(),
            actor="web",
            action=_AUTH,
            outcome="failure",
            subject="user",
            details={"wrong": wrong, "by": by, "address": visitor.address},
        )


def record_failure(core: Core, person: Person | None, what: str, visitor: Visitor, wait: timedelta) -> None:
    """What was typed as a name is not written down: it may be a password."""
    with core.database.write("user.refuse") as connection:
        audit.record(
            connection,
            at=core.now(),
            actor=person.actor if person else "web",
            action=_AUTH,
            outcome="failure",
            subject=f"user/{person.id}" if person else "user",
            details={"wrong": what, "address": visitor.address, "delay_s": round(wait.total_seconds())},
        )
