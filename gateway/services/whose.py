"""Which patient a stored resource is about, for the audit trail."""

from sqlalchemy import Connection

from fhir_mappings.literal_references import search_targets
from gateway.domain.resource import StoredResource
from gateway.store import resources

_BY_OTHERS = frozenset(("Binary", "Provenance"))
"""Types that may say nothing of a patient themselves: what refers to them, or what they are of, does."""


def patient_of_resource(connection: Connection, stored: StoredResource) -> str | None:
    """The id of its Patient; None where it is about nobody, or about several, or its case alone says it."""
    if stored.type == "Patient":
        return stored.id
    targets = search_targets(stored.content)
    named = {target for _, kind, target in targets if kind == "Patient"}
    if not named and stored.type in _BY_OTHERS:
        around = {stored.id} | {target for _, _, target in targets}
        named = resources.patients_around(connection, stored.party_id, around)
    return named.pop() if len(named) == 1 else None
