"""The people there are, as an administrator adds, changes and lists them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.errors import Conflict
from gateway.domain.ids import new_id
from gateway.domain.party import PartyKind
from gateway.domain.people import Person, Role, check_name, check_roles
from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.services.people import delays
from gateway.services.people.enrolment import CODE_LASTS, invite
from gateway.store import audit, parties, people, sessions


@dataclass(frozen=True)
class Invitation:
    """The only time the code is seen in the clear; whoever has it until then chooses the password."""

    name: str
    code: str = field(repr=False)
    ends_at: datetime


@dataclass(frozen=True)
class PersonLine:
    """A user in a list; `state` is enabled, disabled or invited, `issuer` and `subject` an identity provider's."""

    name: str
    id: str
    roles: tuple[str, ...]
    party: str
    state: str
    issuer: str
    subject: str
    created_at: datetime
    disabled_at: datetime | None


def add(core: Core, name: str, roles: Iterable[Role], party_name: str | None, *, actor: str) -> Invitation:
    """A new user, who enrols with the code. Raises Invalid, NotFound (the party), and Conflict for a name taken."""
    now, taken = core.now(), check_name(name)
    with core.database.write("user.add") as connection:
        party_id = _party_id(connection, party_name)
        checked = check_roles(roles, has_party=party_id is not None)
        person = Person(new_id(), taken, checked, party_id, None, None, is_enrolled=False, created_at=now)
        people.add(connection, person)
        code = invite(connection, person, now=now)
        _record(connection, "user.add", person, now, actor, {"roles": sorted(checked), "party": party_id})
    return Invitation(taken, code, now + CODE_LASTS)


def listed(core: Core) -> list[PersonLine]:
    """By name."""
    with core.database.read() as connection:
        names = party_names(connection)
        return [_line(one, names) for one in people.listed(connection)]


def shown(core: Core, name: str) -> PersonLine:
    """One of them. Raises NotFound."""
    with core.database.read() as connection:
        return _line(people.by_name(connection, name), party_names(connection))


def set_roles(core: Core, name: str, roles: Iterable[Role], party_name: str | None, *, actor: str) -> None:
    """These and no others; the user's sessions end. Raises Invalid, NotFound, and Conflict where it changes nothing."""
    now = core.now()
    with core.database.write("user.roles") as connection:
        person = _local(connection, name)
        party_id = _party_id(connection, party_name)
        checked = check_roles(roles, has_party=party_id is not None)
        if (person.roles, person.party_id) == (checked, party_id):
            raise Conflict(f"user {name} has these roles already")
        people.set_roles(connection, person.id, checked, party_id=party_id)
        sessions.end_all(connection, person.id)
        details = {"roles": sorted(checked), "before": sorted(person.roles), "party": party_id}
        _record(connection, "user.roles", person, now, actor, details)


def disable(core: Core, name: str, *, actor: str) -> None:
    """May not sign in; every session ends at once. Raises NotFound, and Conflict when it is so already."""
    now = core.now()
    with core.database.write("user.disable") as connection:
        person = _locked(connection, name)
        if person.disabled_at is not None:
            raise Conflict(f"user {name} is disabled already")
        people.set_disabled(connection, person.id, now)
        people.remove_devices(connection, person_id=person.id)
        ended = sessions.end_all(connection, person.id)
        _record(connection, "user.disable", person, now, actor, {"sessions_ended": ended})


def enable(core: Core, name: str, *, actor: str) -> None:
    """May sign in again. Raises NotFound, and Conflict when not disabled."""
    now = core.now()
    with core.database.write("user.enable") as connection:
        person = _locked(connection, name)
        if person.disabled_at is None:
            raise Conflict(f"user {name} is not disabled")
        people.set_disabled(connection, person.id, None)
        _record(connection, "user.enable", person, now, actor, {})


def unlock(core: Core, name: str, *, actor: str) -> None:
    """Nobody's failures delay the user any more. Raises NotFound."""
    now = core.now()
    with core.database.write("user.unlock") as connection:
        person = _locked(connection, name)
        delays.forgive(connection, person)
        _record(connection, "user.unlock", person, now, actor, {})


def reset(core: Core, name: str, *, actor: str) -> Invitation:
    """Password, second factor, recovery codes, sessions: none is worth anything; the code enrols anew.

    Raises NotFound, and Conflict for an identity provider's person.
    """
    now = core.now()
    with core.database.write("user.reset") as connection:
        person = _local(connection, name)
        code = invite(connection, person, now=now)
        people.remove_devices(connection, person_id=person.id)
        delays.forgive(connection, person)
        ended = sessions.end_all(connection, person.id)
        _record(connection, "user.reset", person, now, actor, {"sessions_ended": ended})
    return Invitation(name, code, now + CODE_LASTS)


def _party_id(connection: Connection, party_name: str | None) -> str | None:
    if party_name is None:
        return None
    party = parties.party_by_name(connection, party_name)
    if party.kind is not PartyKind.REVIEWER:
        raise Conflict(f"{party.name} orders opinions and gives none: a reviewer belongs to a reviewing party")
    return party.id


def _locked(connection: Connection, name: str) -> Person:
    person = people.by_name(connection, name)
    people.lock(connection, person.id)
    return people.by_name(connection, name)


def _local(connection: Connection, name: str) -> Person:
    person = _locked(connection, name)
    if person.issuer is not None:
        raise Conflict(f"user {name} is known by an identity provider: it says the roles and keeps the password")
    return person


def _record(
    connection: Connection, action: str, person: Person, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    audit.record(connection, at=now, actor=actor, action=action, subject=f"user/{person.id}", details=details)


def _line(person: Person, names: dict[str, str]) -> PersonLine:
    is_usable = person.is_enrolled or person.issuer is not None
    state = "disabled" if person.disabled_at else "enabled" if is_usable else "invited"
    return PersonLine(
        name=person.name,
        id=person.id,
        roles=tuple(sorted(person.roles)),
        party=names.get(person.party_id or "", ""),
        state=state,
        issuer=person.issuer or "",
        subject=person.subject or "",
        created_at=person.created_at,
        disabled_at=person.disabled_at,
    )
