"""Enrolment: with the one-time code of an administrator a person chooses a password and takes a second factor."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.errors import Unauthenticated
from gateway.domain.passwords import check_password
from gateway.domain.people import Person
from gateway.domain.sign_in import SignInPolicy
from gateway.services.client_proof import digest
from gateway.services.core import Core
from gateway.services.people import proofs, tickets
from gateway.services.people.proofs import new_secret
from gateway.services.people.sign_in import require_local
from gateway.services.people.tickets import TicketKind
from gateway.store import audit, people

CODE_LASTS = timedelta(days=3)
_NO_CODE = "this enrolment code is not known, was used, or is over; ask your administrator for a new one"


@dataclass(frozen=True)
class SecondFactor:
    """What the person's app is given, once: the secret as text and in a URI for a picture. `ticket` leads on."""

    ticket: str = field(repr=False)
    secret: str = field(repr=False)
    uri: str = field(repr=False)


def invite(connection: Connection, person: Person, *, now: datetime) -> str:
    """A code for the person, the only time it is seen in the clear; what signed them in before no longer does."""
    code = new_secret()
    people.set_enrolment(connection, person.id, code_sha256=digest(code), ends_at=now + CODE_LASTS)
    return code


def choose_password(core: Core, policy: SignInPolicy, *, code: str, password: str) -> SecondFactor:
    """The first step: nothing is kept yet.

    Raises Unauthenticated for a code that is not good, Invalid for a password that is easy to guess.
    """
    require_local(policy)
    with core.database.read() as connection:
        found = people.find_by_enrolment(connection, digest(code.strip()), core.now())
    if found is None or found.person.disabled_at is not None:
        raise Unauthenticated(_NO_CODE)
    taken, secret = check_password(password, name=found.person.name), proofs.new_totp_secret()
    values = {
        "enrolment": digest(code.strip()),
        "password_hash": proofs.hashed(taken, policy.hashing),
        "secret": secret,
    }
    ticket = tickets.issue(core, TicketKind.ENROLMENT, values)
    return SecondFactor(ticket, secret, proofs.totp_uri(secret, found.person.name))


def finish(core: Core, policy: SignInPolicy, *, ticket: str, code: str) -> list[str]:
    """The second step: the app shows the right code. From now on the person can sign in; gives the recovery codes.

    Raises Unauthenticated for a wrong code, which may be tried again, and for an enrolment that is over.
    """
    require_local(policy)
    values, now = tickets.read(core, TicketKind.ENROLMENT, ticket), core.now()
    step = proofs.totp_step(values["secret"], proofs.plain_code(code), now)
    if step is None:
        raise Unauthenticated("that is not the code which the app shows now; is the clock of your device right?")
    codes = proofs.new_recovery_codes()
    with core.database.write("user.enrol") as connection:
        found = people.find_by_enrolment(connection, values["enrolment"], now)
        found = people.lock(connection, found.person.id) if found else None
        if found is None or found.person.disabled_at is not None or found.person.is_enrolled:
            raise Unauthenticated(_NO_CODE)
        person = found.person
        sealed = proofs.seal_secret(core, person.id, values["secret"])
        people.set_enrolled(connection, person.id, password_hash=values["password_hash"], totp_sealed=sealed, step=step)
        people.add_recovery_codes(connection, person.id, [digest(proofs.plain_code(one)) for one in codes])
        audit.record(connection, at=now, actor=person.actor, action="user.enrol", subject=f"user/{person.id}")
    return codes
