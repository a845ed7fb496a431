"""What a Consent has to be, beyond what can be read, before it is stored as one that may permit something."""

from sqlalchemy import Connection

from fhir_mappings.consent import consent_from_fhir
from fhir_mappings.consent_on_file import consent_on_file
from fhir_mappings.consent_source import check_source, source_digest
from gateway.domain.errors import Invalid, Unprocessable
from gateway.domain.resource import StoredResource
from gateway.services.resource_rules import ENDED_CONSENT
from gateway.store import resources


def check_arriving(connection: Connection, stored: StoredResource) -> None:
    """Raise Invalid or Unprocessable for a version that has not ended and cannot count as it stands.

    That is one that `consent_from_fhir` refuses, one that permits on a source that is not kept here, and one that
    nobody but the patient is to have given though an earlier version with the same source says that a representative
    did: who signed a paper does not change.
    """
    consent = consent_from_fhir(stored.content, id=stored.id, version=stored.version)
    check_source(stored.content, consent.provision, consent.root_effect)
    if consent.is_by_representative or stored.version == 1:
        return
    source = source_digest(stored.content)
    earlier = resources.versions(
        connection, stored.party_id, stored.type, stored.id, before=stored.version, at_most=stored.version
    )
    if source and any(_is_by_representative(one) and _source(one) == source for one in earlier):
        remedy = (
            "send the document that the patient has signed; or end this consent as entered-in-error and send another"
        )
        raise Unprocessable(f"on the same source a representative gave it before; {remedy}", at="Consent.performer")


def _is_by_representative(version: StoredResource) -> bool:
    """Of one that ended the consent nothing else is believed."""
    has_ended = version.content.get("status") in ENDED_CONSENT
    read = consent_on_file(version.content, id=version.id, version=version.version)
    return read.is_by_representative and not has_ended


def _source(version: StoredResource) -> str:
    try:
        return source_digest(version.content)
    except Invalid:
        return ""
