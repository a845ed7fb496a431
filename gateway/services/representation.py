"""A person has checked that a representative may consent for a patient, and says so; or no longer."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.consent import consent_from_fhir
from fhir_mappings.consent_parties import performers_digest
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.ids import new_id
from gateway.domain.resource import StoredResource
from gateway.services.consents import Ground
from gateway.services.core import Core
from gateway.services.dates import end_of
from gateway.services.revocation import Change, consent_changed
from gateway.store import authorities, parties, resources
from gateway.store.authorities import Authority

_LONGEST_BASIS = 200


def record(core: Core, consent_id: str, *, basis: str, last: str = "", actor: str) -> str:
    """The consent counts from now on, as long as it names the same performers, until the FHIR date `last` ends.

    Gives the id of what was recorded.

    Raises NotFound, Conflict for a consent that the patient gave, and one whose authority is recorded already, and
    Invalid for a basis that says nothing or an end that has come.
    """
    with core.database.write("authority.record") as connection:
        consent, now = _locked(connection, consent_id), core.now()
        if not 0 < len(basis.strip()) <= _LONGEST_BASIS:
            raise Invalid(f"say in 1 to {_LONGEST_BASIS} characters what the authority stands on", at="basis")
        clinic = parties.party_by_id(connection, consent.party_id)
        valid_until = end_of(last, clinic, at="until")
        if valid_until is not None and valid_until <= now:
            raise Invalid("the authority ends after now", at="until")
        if not consent_from_fhir(consent.content, id=consent.id, version=consent.version).is_by_representative:
            raise Conflict(f"consent {consent_id} was not given by a representative; it needs no authority")
        if _standing(connection, consent, now):
            raise Conflict(f"the authority for consent {consent_id} is recorded already; withdraw it first")
        digest = performers_digest(consent.content)
        new = Authority(new_id(), consent_id, digest, basis.strip(), valid_until, actor, now)
        authorities.add(connection, new)
        change = Change(consent, now, actor, lambda _ground: None)
        consent_changed(connection, change, action="authority.record", subject=f"authority/{new.id}")
    return new.id


def withdraw(core: Core, consent_id: str, *, actor: str) -> None:
    """The consent no longer permits anything; what left under it is recalled as at a revocation.

    Raises NotFound, and Conflict where no authority stands.
    """
    with core.database.write("authority.withdraw") as connection:
        consent, now = _locked(connection, consent_id), core.now()
        standing = _standing(connection, consent, now)
        if not standing:
            raise Conflict(f"no authority is recorded for consent {consent_id} as it stands")
        for one in standing:
            authorities.withdraw(connection, one.id, by=actor, now=now)

        def before(ground: Ground) -> Ground:
            return replace(ground, authorities=(*ground.authorities, *standing))

        change = Change(consent, now, actor, before, frozenset({consent_id}))
        subject = f"authority/{standing[0].id}"
        consent_changed(connection, change, action="authority.withdraw", subject=subject)


def _locked(connection: Connection, consent_id: str) -> StoredResource:
    """The current version, with everything of its clinic's that could change it kept waiting."""
    clinic_id = resources.owner_of(connection, "Consent", consent_id)
    resources.lock_party(connection, clinic_id)
    return resources.current(connection, clinic_id, "Consent", consent_id)


def _standing(connection: Connection, consent: StoredResource, now: datetime) -> list[Authority]:
    """What is recorded for those whom this version names, and holds."""
    digest = performers_digest(consent.content)
    recorded = authorities.of_consents(connection, [consent.id])
    return [one for one in recorded if one.performers_sha256 == digest and one.holds(now)]
