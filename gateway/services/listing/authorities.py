"""What people have recorded of the representatives of a case's patient, never who they are."""

from dataclasses import dataclass
from datetime import datetime

from fhir_mappings.consent_parties import performers_digest
from gateway.domain.errors import Invalid
from gateway.domain.resource import StoredResource
from gateway.services.consents import stored_consents
from gateway.services.core import Core
from gateway.services.merges import person_of
from gateway.store import authorities, cases


@dataclass(frozen=True)
class AuthorityLine:
    """One record of an authority; `withdrawn_by` is '' while no person has withdrawn it.

    `holds` is what is true now: no also where the consent names somebody else since.
    """

    consent_id: str
    basis: str
    holds: bool
    valid_until: datetime | None
    recorded_by: str
    recorded_at: datetime
    withdrawn_by: str
    withdrawn_at: datetime | None


def authority_lines(core: Core, case_id: str) -> list[AuthorityLine]:
    """Of every consent of the case's patient, oldest first, also those that are over. Raises NotFound (the case)."""
    with core.database.read() as connection:
        case = cases.by_id(connection, case_id)
        person = person_of(connection, case.clinic_id, case.patient_id)
        consents = stored_consents(connection, case.clinic_id, person)
        named = {one.id: _performers(one) for one in consents}
        return [
            AuthorityLine(
                consent_id=one.consent_id,
                basis=one.basis,
                holds=one.performers_sha256 == named[one.consent_id] and one.holds(core.now()),
                valid_until=one.valid_until,
                recorded_by=one.recorded_by,
                recorded_at=one.recorded_at,
                withdrawn_by=one.withdrawn_by or "",
                withdrawn_at=one.withdrawn_at,
            )
            for one in authorities.of_consents(connection, named)
        ]


def _performers(consent: StoredResource) -> str:
    """Whom it names; nobody where that cannot be read, as of one that was ended in haste."""
    try:
        return performers_digest(consent.content)
    except Invalid:
        return ""
