"""People for whom an identity provider vouches. Issuer and subject identify them, never a name or an address.

Their roles are those of the latest sign-in. https://openid.net/specs/openid-connect-core-1_0.html#ClaimStability
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.errors import Conflict, Forbidden, Permanent
from gateway.domain.ids import new_id
from gateway.domain.party import PartyKind
from gateway.domain.people import OPENID_PREFIX, Person, RoleGrant, Vouched, check_roles
from gateway.domain.sign_in import SignInPolicy, Visitor
from gateway.services.core import Core
from gateway.services.people.sessions import SignedIn, begin
from gateway.services.people.sign_in import record_sign_in
from gateway.store import audit, parties, people, sessions

_OF_NAME = 16
_NO_PARTY = "the settings [oidc] roles name a reviewing party that is not registered"


class NotAdmitted(Forbidden):
    """The provider vouches for somebody who is not let in here; the row that says so is committed."""


@dataclass(frozen=True)
class _Standing:
    """What the person is here by the settings."""

    grants: Sequence[RoleGrant]
    party_id: str | None


def sign_in(
    core: Core,
    policy: SignInPolicy,
    vouched: Vouched,
    role_map: Mapping[str, RoleGrant],
    *,
    visitor: Visitor,
    replaced: str = "",
) -> SignedIn:
    """A session for whom the provider vouches, who is made known at the first time.

    Raises NotAdmitted without a role here or when disabled, and Permanent where the settings name no reviewing party.
    """
    grants = [role_map[group] for group in vouched.groups if group in role_map]
    try:
        return _signed_in(core, policy, vouched, grants, visitor, replaced)
    except Conflict:  # made known by another sign-in a moment ago
        return _signed_in(core, policy, vouched, grants, visitor, replaced)


def _signed_in(
    core: Core, policy: SignInPolicy, vouched: Vouched, grants: Sequence[RoleGrant], visitor: Visitor, replaced: str
) -> SignedIn:
    """Raises Conflict where another transaction makes the person known meanwhile."""
    now = core.now()
    with core.database.write("user.vouched") as connection:
        found = people.find_by_subject(connection, vouched.issuer, vouched.subject)
        found = people.lock(connection, found.person.id) if found else None
        person = found.person if found else None
        refusal = _refusal(person, grants)
        party_id = "" if refusal else _party_id(connection, grants)
        if party_id is None:
            refusal = _NO_PARTY
        if not refusal:
            standing = _Standing(grants, party_id or None)
            person = (
                _updated(connection, person, standing, now) if person else _added(connection, vouched, standing, now)
            )
            record_sign_in(connection, person, "openid", visitor, now=now)
            return begin(connection, policy, person, visitor, now=now, replaced=replaced)
        _record_failure(connection, person, refusal, visitor, now)
    raise Permanent(refusal) if refusal == _NO_PARTY else NotAdmitted(refusal)


def _record_failure(connection: Connection, person: Person | None, wrong: str, visitor: Visitor, now: datetime) -> None:
    audit.record(
        connection,
        at=now,
        actor=person.actor if person else "web",
        action="user.sign-in",
        outcome="failure",
        subject=f"user/{person.id}" if person else "user",
        details={"wrong": wrong, "by": "openid", "address": visitor.address},
    )


def _refusal(person: Person | None, grants: Sequence[RoleGrant]) -> str:
    """Why nobody is let in; '' for no reason."""
    if person is not None and person.disabled_at is not None:
        return "this user is disabled"
    if not grants:
        return "your identity provider gives you no role here"
    if len(_party_names(grants)) > 1:
        return "your identity provider makes you a reviewer of several parties; one person has one"
    return ""


def _party_names(grants: Sequence[RoleGrant]) -> set[str]:
    return {grant.party_name for grant in grants if grant.party_name}


def _party_id(connection: Connection, grants: Sequence[RoleGrant]) -> str | None:
    """'' for a person of no party; None where the party is not registered."""
    for name in _party_names(grants):
        found = [one for one in parties.parties(connection, PartyKind.REVIEWER) if one.name == name]
        return found[0].id if found else None
    return ""


def _added(connection: Connection, vouched: Vouched, standing: _Standing, now: datetime) -> Person:
    roles = check_roles([one.role for one in standing.grants], has_party=standing.party_id is not None)
    person = Person(
        id=new_id(),
        name=_name(vouched),
        roles=roles,
        party_id=standing.party_id,
        issuer=vouched.issuer,
        subject=vouched.subject,
        is_enrolled=False,
        created_at=now,
    )
    people.add(connection, person)
    _record(connection, "user.add", person, now)
    return person


def _updated(connection: Connection, person: Person, standing: _Standing, now: datetime) -> Person:
    """With changed roles every earlier session ends."""
    roles = check_roles([one.role for one in standing.grants], has_party=standing.party_id is not None)
    if (person.roles, person.party_id) == (roles, standing.party_id):
        return person
    people.set_roles(connection, person.id, roles, party_id=standing.party_id)
    sessions.end_all(connection, person.id)
    changed = people.by_name(connection, person.name)
    _record(connection, "user.roles", changed, now)
    return changed


def _record(connection: Connection, action: str, person: Person, now: datetime) -> None:
    details = {"roles": sorted(person.roles), "party": person.party_id, "by": "openid"}
    audit.record(connection, at=now, actor=person.actor, action=action, subject=f"user/{person.id}", details=details)


def _name(vouched: Vouched) -> str:
    """Nothing that another person could have as well, or that the provider could give to somebody else."""
    digest = hashlib.sha256(f"{vouched.issuer}\n{vouched.subject}".encode()).hexdigest()
    return f"{OPENID_PREFIX}{digest[:_OF_NAME]}"
