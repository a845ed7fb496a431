"""A person writes down that the patient took a consent back, by a letter or in person."""

from dataclasses import replace

from gateway.domain.errors import Conflict
from gateway.services.core import Core
from gateway.services.resource_rules import ENDED_CONSENT
from gateway.services.resources import store_internal
from gateway.services.revocation import consent_stored, patient_of_consent
from gateway.store import audit, resources


def revoke(core: Core, consent_id: str, *, reason: str, actor: str) -> int:
    """Store the consent as inactive, with all that follows from it; gives the number of that version.

    Raises NotFound, and Conflict for one that has ended already.
    """
    with core.database.write("consent.revoke") as connection:
        clinic_id = resources.owner_of(connection, "Consent", consent_id)
        resources.lock_party(connection, clinic_id)
        consent, now = resources.current(connection, clinic_id, "Consent", consent_id), core.now()
        status = str(consent.content.get("status"))
        if status in ENDED_CONSENT:
            raise Conflict(f"consent {consent_id} is {status} already")
        stored = store_internal(connection, clinic_id, consent.content | {"status": "inactive"}, now=now)
        subject = f"Consent/{stored.id}/_history/{stored.version}"
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="consent.revoke",
            patient_id=patient_of_consent(connection, consent),
            subject=subject,
            details={"reason": reason},
        )
        consent_stored(connection, replace(stored, client_id=actor))
    return stored.version
