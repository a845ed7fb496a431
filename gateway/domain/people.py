"""People who sign in: their roles, and what a role may. Who asks for a permission never asks for a role."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.errors import Invalid
from gateway.domain.moments import require_aware

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
_LONGEST_NAME = 64
OPENID_PREFIX = "openid-"
"""What the names of people begin with whom an identity provider vouches for; nobody else's name does."""


class Role(StrEnum):
    """What a person is here; one may be several."""

    ADMINISTRATOR = "administrator"
    COORDINATOR = "coordinator"
    REVIEWER = "reviewer"
    PRIVACY_OFFICER = "privacy-officer"


class Permission(StrEnum):
    """What pages ask for. Everybody has an account of their own, which needs none."""

    SEE_WAITS = "see-waits"
    SEE_RECALLS = "see-recalls"
    SEE_AUDIT = "see-audit"
    SEE_PEOPLE = "see-people"


MAY: Mapping[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset({Permission.SEE_PEOPLE}),
    Role.COORDINATOR: frozenset({Permission.SEE_WAITS, Permission.SEE_RECALLS}),
    Role.REVIEWER: frozenset(),
    Role.PRIVACY_OFFICER: frozenset({Permission.SEE_AUDIT, Permission.SEE_RECALLS}),
}
"""The one table of who may what (GDPR article 25: by default nobody sees what their task does not need)."""


@dataclass(frozen=True)
class Person:
    """Somebody who signs in: with a password and a second factor of ours, or through an identity provider.

    Then `issuer` and `subject` are set and identify the person (OpenID Connect Core 1.0, 5.7). A reviewer belongs to
    the reviewing party `party_id`. `is_enrolled`: has chosen a password and a second factor.
    """

    id: str
    name: str
    roles: frozenset[Role]
    party_id: str | None
    issuer: str | None
    subject: str | None
    is_enrolled: bool
    created_at: datetime
    disabled_at: datetime | None = None

    def __post_init__(self) -> None:
        require_aware(created_at=self.created_at)

    @property
    def actor(self) -> str:
        """How the audit trail names the person."""
        return f"user:{self.name}"

    def may(self, permission: Permission) -> bool:
        """Whether any of the person's roles has the permission."""
        return permission in permissions_of(self.roles)


@dataclass(frozen=True)
class Vouched:
    """Whom an identity provider vouches for, and the values of the claim that stands for roles."""

    issuer: str
    subject: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class RoleGrant:
    """A role that is to be given; a reviewer's with the name of the party."""

    role: Role
    party_name: str = ""


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Everything that one of the roles may."""
    return frozenset().union(*(MAY[role] for role in roles))


def who_may(permission: Permission) -> tuple[Role, ...]:
    """The roles that have the permission, in the order of `Role`."""
    return tuple(role for role in Role if permission in MAY[role])


def check_name(name: str) -> str:
    """A name to sign in with: lower-case letters and digits, parted by single . _ or -. Raises Invalid."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        rule = "lower-case letters and digits, parted by single . _ or -, begins with a letter"
        raise Invalid(f"a user's name is {rule}, and has {_LONGEST_NAME} characters at the most", at="name")
    if name.startswith(OPENID_PREFIX):
        raise Invalid(f"names that begin with {OPENID_PREFIX} are those of an identity provider's people", at="name")
    return name


def check_roles(roles: Iterable[Role], *, has_party: bool) -> frozenset[Role]:
    """At least one; a reviewer has a party, and nobody else has. Raises Invalid."""
    found = frozenset(roles)
    if not found:
        raise Invalid("a user has at least one role", at="role")
    if (Role.REVIEWER in found) != has_party:
        raise Invalid("a reviewer belongs to a reviewing party, and only a reviewer does", at="party")
    return found


def read_grant(text: str) -> RoleGrant:
    """A role as the settings name it: `coordinator`, or `reviewer:PARTY`. Raises Invalid."""
    name, _, party_name = text.partition(":")
    if name not in list(Role):
        raise Invalid(f"{', '.join(Role)} are the roles, a reviewer's with its party: reviewer:PARTY", at="role")
    check_roles([Role(name)], has_party=bool(party_name))
    return RoleGrant(Role(name), party_name)
