"""A stored FHIR R4 Consent -> domain Consent, also one that the mapping of today refuses.

What was taken in by an earlier version, or was ended by a version of which nothing but the end had to be right, is on
file all the same. The table says what is read of such a one; what of it cannot be read is `unread`, where it is active and of the scope patient-privacy: no other counts.

| FHIR path | where it cannot be read | note |
| --- | --- | --- |
| status | active | whether it was ended is not known |
| scope | patient-privacy | the same of an active one whose scopes are none that are known |
| patient | nobody who is known | it was found by its patient: it may be theirs |
| policy | any flow | also where anything stands at the root that may say something else |
| identifier, dateTime | none | it takes no other one's place by them |
| provision, performer, source[x] | none | it permits nothing; what it denies is not known |
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from fhir_mappings.consent import consent_from_fhir, patient_of, policy_of, scope_of, status_of
from fhir_mappings.consent_elements import identifiers, moment
from gateway.domain.consent import Coding, Consent, PartyReference, Policy
from gateway.domain.consent.vocabulary import CONSENT_SCOPE, PATIENT_PRIVACY
from gateway.domain.errors import Invalid

_T = TypeVar("_T")
_PRIVACY = Coding(CONSENT_SCOPE, PATIENT_PRIVACY)


def consent_on_file(
    resource: dict[str, Any],
    *,
    id: str,
    version: int,
    stored_at: datetime | None = None,
    is_signed: bool = False,
    supersedes: frozenset[str] = frozenset(),
) -> Consent:
    """As `consent_from_fhir` reads it, or as far as it can be read: that permits nothing. Raises nothing."""
    try:
        return consent_from_fhir(
            resource, id=id, version=version, stored_at=stored_at, is_signed=is_signed, supersedes=supersedes
        )
    except Invalid as refusal:
        unread = ": ".join(filter(None, (refusal.at, str(refusal))))
    status = _or("active", lambda: status_of(resource))
    scope = _or(frozenset({_PRIVACY}), lambda: scope_of(resource))
    return Consent(
        id=id,
        version=version,
        patient=_or(PartyReference(), lambda: patient_of(resource)),
        status=status,
        scope=scope,
        policy=_or(Policy(), lambda: policy_of(resource)),
        has_signature_or_source=is_signed,
        identifiers=_or(frozenset(), lambda: identifiers(resource, "Consent")),
        date_time=_or(None, lambda: moment(resource.get("dateTime"), "Consent.dateTime")),
        supersedes=supersedes,
        stored_at=stored_at,
        unread=unread if status == "active" and _PRIVACY in scope else "",
    )


def _or(otherwise: _T, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except Invalid:
        return otherwise
