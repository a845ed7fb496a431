"""What the Provenances on file tell of consents: which version was signed, and which one takes the place of another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from fhir_mappings.consent_elements import party, single
from fhir_mappings.consent_parties import is_same_party, performers
from fhir_mappings.literal_references import LocalTarget, local_target
from fhir_mappings.provenance import Claims, Signature, claims_of, revision
from gateway.domain.consent import ConsentVersion
from gateway.domain.errors import Unprocessable
from gateway.domain.resource import StoredResource
from gateway.services.merges import person_of
from gateway.services.resources import store_internal
from gateway.store import resources


@dataclass(frozen=True)
class Told:
    """`signed` versions, and by the id of a consent the ids of those that it replaces."""

    signed: frozenset[ConsentVersion]
    supersedes: Mapping[str, frozenset[str]]


def told_of(connection: Connection, clinic_id: str, consents: Sequence[StoredResource], *, without: str = "") -> Told:
    """By all Provenances of these versions of consents, but the one of the id `without`."""
    current = {one.id: one for one in consents}
    about = resources.referring_to_any(connection, clinic_id, "Provenance", current, parameter="target")
    signed, supersedes = set[ConsentVersion](), dict[str, frozenset[str]]()
    for provenance, claims in _read(one for one in about if one.id != without):
        for target in claims.targets:
            if target.id not in current:
                continue
            replaced = {one.id for one in claims.revised} - {target.id}
            supersedes[target.id] = supersedes.get(target.id, frozenset()) | replaced
            if claims.signatures and _is_of(target, current[target.id], provenance):
                signed.add(ConsentVersion(target.id, current[target.id].version))
    return Told(frozenset(signed), supersedes)


def checked_claims(connection: Connection, stored: StoredResource) -> Claims | None:
    """What a Provenance that is being stored says of consents; None where it is about something else.

    Raises Unprocessable for a change of one of a Consent, a signature of nobody who gave it, a signed version that is
    not named, and a replaced consent of another patient.
    """
    claims = claims_of(stored.content)
    if stored.version > 1:
        before = resources.version(connection, stored.party_id, stored.type, stored.id, stored.version - 1)
        if claims is not None or claims_of(before.content) is not None:
            raise Unprocessable("a Provenance of a consent stays as it is; send another one", at="Provenance.target")
    if claims is not None:
        _check(connection, stored, claims)
    return claims


def store_revision(connection: Connection, stored: StoredResource) -> None:
    """Write down who replaced the version before this one of a Consent, and when."""
    new = LocalTarget(stored.type, stored.id, str(stored.version))
    content = revision(new, client_id=stored.client_id, at=stored.stored_at)
    store_internal(connection, stored.party_id, content, now=stored.stored_at)


def _read(about: Iterable[StoredResource]) -> Iterable[tuple[StoredResource, Claims]]:
    for provenance in about:
        if (claims := claims_of(provenance.content)) is not None:
            yield provenance, claims


def _is_of(target: LocalTarget, consent: StoredResource, provenance: StoredResource) -> bool:
    """Whether that version is meant: by its number, or because the two were stored by one request."""
    if target.version:
        return target.version == str(consent.version)
    return (consent.client_id, consent.stored_at) == (provenance.client_id, provenance.stored_at)


def _check(connection: Connection, stored: StoredResource, claims: Claims) -> None:
    patients = set[str]()
    for number, target in enumerate(claims.targets):
        at = f"Provenance.target[{number}]"
        consent = resources.current(connection, stored.party_id, "Consent", target.id)
        patients.add(_patient(consent, at))
        if not claims.signatures:
            continue
        if not target.version and not _is_of(target, consent, stored):
            raise Unprocessable("name the version that was signed: Consent/id/_history/version", at=at)
        number_signed = int(target.version or consent.version)
        signed = resources.version(connection, stored.party_id, "Consent", target.id, number_signed)
        for signature in claims.signatures:
            _check_signer(connection, signed, signature)
    for one in claims.revised:
        consent = resources.current(connection, stored.party_id, "Consent", one.id)
        patients.add(_patient(consent, "Provenance.entity"))
    if not patients <= person_of(connection, stored.party_id, min(patients)).records:
        raise Unprocessable("the consents are not of one patient", at="Provenance.target")


def _patient(consent: StoredResource, at: str) -> str:
    target = local_target(str(consent.content["patient"].get("reference", "")))
    if target is None:
        raise Unprocessable("the consent names its patient by no Patient/id", at=at)
    return target.id


def _check_signer(connection: Connection, consent: StoredResource, signature: Signature) -> None:
    """The patient, under any of the merged records, or somebody whom the consent names as its performer."""
    patient = party(single(consent.content, "patient", "Consent.patient"), "Consent.patient")
    if any(is_same_party(signature.who, one) for one in (patient, *performers(consent.content))):
        return
    records = person_of(connection, consent.party_id, _patient(consent, signature.at)).references
    if signature.who.reference not in records:
        raise Unprocessable("who signs is the patient, or a performer of the consent", at=f"{signature.at}.who")
