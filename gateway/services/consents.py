"""Load every consent of a patient and ask the domain; anything that goes wrong means: not sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from fhir_mappings.consent_on_file import consent_on_file
from fhir_mappings.consent_parties import performers_digest
from gateway.domain.consent import (
    Consent,
    ConsentVersion,
    Decision,
    DisclosureRequest,
    Item,
    Look,
    Outcome,
    decide,
    indeterminate,
)
from gateway.domain.delivery import Flow
from gateway.domain.errors import GatewayError
from gateway.domain.party import Identifier, Party
from gateway.domain.record import Case
from gateway.domain.resource import StoredResource
from gateway.services.merges import Person, identifiers_of, person_of
from gateway.services.named import Read, reads_of, with_named
from gateway.services.patients import why_no_patient
from gateway.services.provenances import told_of
from gateway.services.recipients import recipient_named
from gateway.store import authorities, deliveries, parties, resources, transfers
from gateway.store.authorities import Authority

_PAGE = 500
"""Consents that are looked at at a time."""


@dataclass(frozen=True)
class Disclosure:
    """What would leave together, and is decided on as a whole: items of one payload, on one flow to one recipient."""

    flow: Flow
    recipient: Party
    items: tuple[Item, ...]
    payload_sha256: str


@dataclass(frozen=True)
class Recorded:
    """A decision on a disclosure to the recipient, and the id under which it was kept.

    `reads` are the resources of the clinic that told the consents it rests on whom they mean.
    """

    id: str
    decision: Decision
    recipient: Party
    reads: tuple[Read, ...] = ()

    @property
    def versions(self) -> dict[str, list[str]]:
        """For an audit row: the versions of those resources, where there are any."""
        found = [version for one in self.reads for version in one.versions]
        return {"named": list(dict.fromkeys(found))} if found else {}

    @property
    def is_permit(self) -> bool:
        """True for a permit; deny and indeterminate are both: not sent."""
        return self.decision.outcome is Outcome.PERMIT

    @property
    def is_denied(self) -> bool:
        """True for a deny, which stands until a consent changes; indeterminate is asked again."""
        return self.decision.outcome is Outcome.DENY


@dataclass(frozen=True)
class Ground:
    """What every decision on a case rests on, or the one decision there can be without.

    The consents of its patient under all records that were merged into one, the names by which a consent may call the
    patient, and by the consent's id what people have recorded of representatives.
    """

    consents: tuple[Consent, ...] = ()
    references: frozenset[str] = frozenset()
    identifiers: frozenset[Identifier] = frozenset()
    authorities: tuple[Authority, ...] = ()
    foregone: Decision | None = None

    def standing_at(self, now: datetime) -> tuple[Consent, ...]:
        """The consents with what people have recorded of representatives, as far as it holds at that moment."""
        vouched = {one.consent_id for one in self.authorities if one.holds(now)}
        ended = [(one.consent_id, end) for one in self.authorities if (end := one.ended(now)) is not None]
        ends = dict(sorted(ended, key=lambda one: one[1].at))
        return tuple(
            replace(one, is_authority_recorded=one.id in vouched, authority_end=ends.get(one.id))
            for one in self.consents
        )


def ground_of(connection: Connection, case: Case) -> Ground:
    """As it is in the current transaction, which has locked the case row."""
    try:
        person = person_of(connection, case.clinic_id, case.patient_id)
        if why_not := why_no_patient(connection, case, person):
            return Ground(foregone=Decision(Outcome.DENY, (str(why_not),), (), None, ""))
        return _loaded(connection, case, person)
    except GatewayError as exc:
        reason = f"the consents could not be loaded ({type(exc).__name__}); nothing is sent until they can"
        return Ground(foregone=indeterminate(reason, ""))


def decide_and_record(
    connection: Connection,
    case: Case,
    ground: Ground,
    asked: Disclosure,
    *,
    stage: str,
    delivery_id: str | None,
    now: datetime,
) -> Recorded:
    """Decide in the current transaction, so that a revocation is before it or after it and never in between."""
    decision, reads = _decided(connection, case, ground, asked, now=now)
    decision_id = deliveries.add_decision(
        connection,
        case_id=case.id,
        delivery_id=delivery_id,
        flow=asked.flow,
        stage=stage,
        outcome=decision.outcome,
        reasons=decision.reasons,
        consents=[(used.id, used.version) for used in decision.consents],
        payload_sha256=asked.payload_sha256,
        valid_until=decision.valid_until,
        now=now,
    )
    return Recorded(decision_id, decision, asked.recipient, reads)


def decide_on(connection: Connection, case: Case, ground: Ground, asked: Disclosure, *, now: datetime) -> Decision:
    """The decision alone; nothing is kept of it."""
    return _decided(connection, case, ground, asked, now=now)[0]


def _decided(
    connection: Connection, case: Case, ground: Ground, asked: Disclosure, *, now: datetime
) -> tuple[Decision, tuple[Read, ...]]:
    """With what told whom the consents mean, which is said last among its reasons."""
    if ground.foregone is not None:
        return replace(ground.foregone, payload_sha256=asked.payload_sha256), ()
    request = request_of(connection, case, ground, asked, now=now)
    decision = _until_authorities_end(decide(ground.standing_at(now), request), ground, now)
    reads = reads_of(decision, ground.consents, request.recipient)
    return replace(decision, reasons=(*decision.reasons, *map(str, reads))), reads


def request_of(
    connection: Connection, case: Case, ground: Ground, asked: Disclosure, *, now: datetime
) -> DisclosureRequest:
    """What the consents of a ground are asked."""
    clinic = parties.party_by_id(connection, case.clinic_id)
    is_abroad = clinic.country != asked.recipient.country
    return DisclosureRequest(
        flow=asked.flow,
        patient_references=ground.references,
        patient_identifiers=ground.identifiers,
        recipient=recipient_named(connection, case.clinic_id, asked.recipient),
        items=asked.items,
        now=now,
        zone=ZoneInfo(clinic.time_zone),
        payload_sha256=asked.payload_sha256,
        custodian_country=clinic.country,
        transfer_instruments=transfers.instruments(connection, clinic.id, asked.recipient.id) if is_abroad else (),
    )


def stored_consents(connection: Connection, clinic_id: str, person: Person) -> list[StoredResource]:
    """The current version of each consent that was given under any record of the patient."""
    return resources.referring_to_any(connection, clinic_id, "Consent", person.records, parameter="patient")


def read_consents(
    connection: Connection,
    clinic_id: str,
    stored: Sequence[StoredResource],
    *,
    without: str = "",
    instead: Mapping[str, Look] | None = None,
) -> tuple[Consent, ...]:
    """As they are decided on, with what all Provenances tell of them but the one of the id `without`.

    `instead` says for what a resource that they name is to be taken now (`named.with_named`). What people have recorded
    of representatives is not in it. One that cannot be read any more says so (`unread`).
    """
    told = told_of(connection, clinic_id, stored, without=without)
    read = (
        consent_on_file(
            one.content,
            id=one.id,
            version=one.version,
            stored_at=one.stored_at,
            is_signed=ConsentVersion(one.id, one.version) in told.signed,
            supersedes=told.supersedes.get(one.id, frozenset()),
        )
        for one in stored
    )
    return with_named(connection, clinic_id, read, instead=instead)


def unread_consents(connection: Connection) -> list[str]:
    """The ids of those on file that might count and cannot be read any more, of every clinic."""
    return [
        one.id
        for page in resources.pages(connection, "Consent", at_most=_PAGE)
        for one in page
        if consent_on_file(one.content, id=one.id, version=one.version).unread
    ]


def _loaded(connection: Connection, case: Case, person: Person) -> Ground:
    stored = stored_consents(connection, case.clinic_id, person)
    consents = read_consents(connection, case.clinic_id, stored)
    represented = {one.id for one in consents if one.is_by_representative}
    digests = {one.id: performers_digest(one.content) for one in stored if one.id in represented}
    recorded = authorities.of_consents(connection, digests) if digests else []
    return Ground(
        consents=consents,
        references=person.references,
        identifiers=identifiers_of(connection, case.clinic_id, person),
        authorities=tuple(one for one in recorded if one.performers_sha256 == digests[one.consent_id]),
    )


def _until_authorities_end(decision: Decision, ground: Ground, now: datetime) -> Decision:
    """The same, to be asked anew when the first of the recorded authorities ends."""
    ends = [one.ends_at for one in ground.authorities if one.ends_at is not None and one.ends_at > now]
    moments = [moment for moment in (decision.valid_until, *ends) if moment is not None]
    return replace(decision, valid_until=min(moments, default=None))
