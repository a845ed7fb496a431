"""What people change of their own account; each time they prove again who they are."""

from datetime import timedelta

from gateway.domain.errors import Conflict, Forbidden
from gateway.domain.passwords import check_password
from gateway.domain.people import Person
from gateway.domain.sign_in import SignInPolicy, Visitor
from gateway.services.client_proof import digest
from gateway.services.core import Core
from gateway.services.people import delays, proofs
from gateway.services.people.sessions import Current, SignedIn, begin
from gateway.services.people.sign_in import NotRight, record_failure, require_local, use_code
from gateway.store import audit, people, sessions
from gateway.store.people import Credentials


def change_password(
    core: Core, policy: SignInPolicy, current: Current, *, earlier: str, chosen: str, visitor: Visitor
) -> SignedIn:
    """Every session of the person ends, and known browsers are forgotten; a new session begins here.

    Raises NotRight for the wrong earlier password, Throttled, Invalid for one that is easy to guess, and
    Forbidden where the person was disabled meanwhile.
    """
    taken = check_password(chosen, name=current.person.name)
    found, wait = _charged(core, policy, current)
    if not proofs.is_password(found.password_hash, earlier, policy.hashing):
        raise _refusal(core, found.person, "password", visitor, wait)
    password_hash, now = proofs.hashed(taken, policy.hashing), core.now()
    with core.database.write("user.password") as connection:
        locked = people.lock(connection, found.person.id)
        if locked is None or locked.password_hash != found.password_hash:
            raise Conflict("the password was changed meanwhile")
        if locked.person.disabled_at is not None:
            raise Forbidden("this user is disabled")
        delays.settle(connection, delays.of_second_factor(found.person.id), now)
        people.set_password(connection, found.person.id, password_hash)
        people.remove_devices(connection, person_id=found.person.id)
        sessions.end_all(connection, found.person.id)
        audit.record(
            connection,
            at=now,
            actor=found.person.actor,
            action="user.password",
            subject=f"user/{found.person.id}",
        )
        return begin(connection, policy, locked.person, visitor, now=now)


def renew_recovery_codes(
    core: Core, policy: SignInPolicy, current: Current, *, code: str, visitor: Visitor
) -> list[str]:
    """New codes in place of all earlier ones. Raises NotRight for a wrong code of the app, and Throttled."""
    found, wait = _charged(core, policy, current)
    codes, now = proofs.new_recovery_codes(), core.now()
    with core.database.write("user.recovery-codes") as connection:
        locked = people.lock(connection, found.person.id)
        is_proven = bool(locked and not locked.person.disabled_at and use_code(core, connection, locked, code))
        if is_proven:
            delays.settle(connection, delays.of_second_factor(found.person.id), now)
            people.add_recovery_codes(connection, found.person.id, [digest(proofs.plain_code(one)) for one in codes])
            audit.record(
                connection,
                at=now,
                actor=found.person.actor,
                action="user.recovery-codes",
                subject=f"user/{found.person.id}",
            )
    if not is_proven:
        raise _refusal(core, found.person, "second factor", visitor, wait)
    return codes


def _charged(core: Core, policy: SignInPolicy, current: Current) -> tuple[Credentials, timedelta]:
    """What the person proves it with, and how long the next attempt waits should this one fail."""
    require_local(policy)
    with core.database.read() as connection:
        found = people.find_by_id(connection, current.person.id)
    if found is None or not found.person.is_enrolled:
        raise Conflict("your password and second factor are with your identity provider")
    return found, delays.charge(core, delays.of_second_factor(found.person.id))


def _refusal(core: Core, person: Person, what: str, visitor: Visitor, wait: timedelta) -> NotRight:
    record_failure(core, person, what, visitor, wait)
    return NotRight(f"the {what} is not right")
