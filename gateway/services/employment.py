"""For which organisations a reviewer works, after the fact: consents that name one of them reach the reviewer.

Every change decides anew on what waits for the reviewer, in the same transaction. What left before stays where it is:
that somebody works elsewhere takes no consent back, so nothing is recalled.
"""

from sqlalchemy import Connection

from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.services.core import Core
from gateway.services.registry import checked_identifier
from gateway.services.revocation import redecide_case
from gateway.store import audit, cases, parties, resources

_STAGE = "employment"


def add(core: Core, reviewer: str, organization: Identifier, *, actor: str) -> None:
    """From now on they work there. Raises NotFound, Invalid, and Conflict where that is known."""
    added = checked_identifier(organization)
    with core.database.write("registry.organization") as connection:
        party = _reviewer(connection, reviewer)
        if added in parties.organizations(connection, party.id):
            raise Conflict(f"{party.name} works there already")
        parties.add_organizations(connection, party.id, [added])
        _changed(core, connection, party, added, "reviewer.organization-add", actor)


def remove(core: Core, reviewer: str, organization: Identifier, *, actor: str) -> None:
    """They work there no more: what is pending by a consent to it stops. Raises NotFound, Invalid."""
    with core.database.write("registry.organization") as connection:
        party = _reviewer(connection, reviewer)
        if organization not in parties.organizations(connection, party.id):
            raise NotFound(f"{party.name} does not work there")
        parties.remove_organization(connection, party.id, organization)
        _changed(core, connection, party, organization, "reviewer.organization-remove", actor)


def _reviewer(connection: Connection, name: str) -> Party:
    party = parties.party_by_name(connection, name)
    if party.kind is not PartyKind.REVIEWER:
        raise Invalid(f"{name!r} is no reviewer; a consent names a clinic itself", at="reviewer")
    resources.lock_party(connection, party.id)
    return party


def _changed(
    core: Core, connection: Connection, party: Party, organization: Identifier, action: str, actor: str
) -> None:
    now, subject = core.now(), f"party/{party.id}"
    details = {"system": organization.system, "value": organization.value}
    audit.record(connection, at=now, actor=actor, action=action, subject=subject, details=details)
    for case in cases.undecided(connection, party.id):
        redecide_case(connection, cases.lock(connection, case.id), stage=_STAGE, now=now)
