"""A consent came, changed or went: what waited for it looks again, what rested on it stops, what left is recalled."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.consent import consent_from_fhir
from fhir_mappings.patient import patient_from_fhir
from gateway.domain.consent import Outcome
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Unprocessable
from gateway.domain.record import Case, Delivery
from gateway.domain.resource import StoredResource
from gateway.services import egress, recalling
from gateway.services.consents import Ground, Recorded, decide_on, ground_of, read_consents
from gateway.services.disclosure import item_of, recipient_of
from gateway.services.merges import linked_to, person_of
from gateway.services.provenances import checked_claims, store_revision
from gateway.services.second_look import look_again_at_unmatched
from gateway.store import audit, cases, deliveries, resources

ENDED_STATUS = ("inactive", "rejected", "entered-in-error")
"""Of a Consent (https://hl7.org/fhir/R4/valueset-consent-state-codes.html)."""

_Before = Callable[[Ground], Ground | None]


@dataclass(frozen=True)
class Change:
    """A consent says something else than before, or something else is told of it, since `at` by `actor`.

    `taken_back` are the consents that gave less from then on. `before` makes of the ground of a case the one that it
    had before; None where nobody can have taken anything back.
    """

    consent: StoredResource
    at: datetime
    actor: str
    before: _Before
    taken_back: frozenset[str] = frozenset()


def consent_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Consent version, in the transaction that stores it and serialised with every grant of its cases.

    One that ends the consent gets a Provenance that says who did it and which version was replaced. Raises
    Unprocessable when the consent carries an element that the decision does not evaluate, or is not tied to a Patient
    of this clinic: a consent that nobody would find is refused, not kept.
    """
    consent_from_fhir(stored.content, id=stored.id, version=stored.version)
    patient_id = patient_of(connection, stored)
    previous = _previous(connection, stored)
    if previous is not None and _has_ended(stored) and not _has_ended(previous):
        store_revision(connection, stored)

    def before(ground: Ground) -> Ground:
        older = () if previous is None else read_consents(connection, stored.party_id, [previous])
        return replace(ground, consents=(*(one for one in ground.consents if one.id != stored.id), *older))

    change = Change(stored, stored.stored_at, stored.client_id, before, frozenset({stored.id}))
    for case in _locked_cases(connection, stored.party_id, {patient_id}):
        audit.record(
            connection,
            at=stored.stored_at,
            actor=stored.client_id,
            case_id=case.id,
            action="consent.stored",
            subject=f"Consent/{stored.id}/_history/{stored.version}",
            details={"status": str(stored.content.get("status"))},
        )
        _reconsider_case(connection, case, change)


def provenance_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Provenance: of a consent it is an event like a new version of it, of anything else it is kept.

    Raises Unprocessable as `checked_claims` does.
    """
    claims = checked_claims(connection, stored)
    if claims is None:
        return
    replaced = frozenset(one.id for one in claims.revised)
    for target in dict.fromkeys(one.id for one in claims.targets):
        consent = resources.current(connection, stored.party_id, "Consent", target)

        def before(ground: Ground) -> Ground:
            known = [resources.current(connection, stored.party_id, "Consent", one.id) for one in ground.consents]
            return replace(ground, consents=read_consents(connection, stored.party_id, known, without=stored.id))

        change = Change(consent, stored.stored_at, stored.client_id, before, replaced - {target})
        consent_changed(connection, change, action="consent.attested", subject=f"Provenance/{stored.id}")


def consent_changed(connection: Connection, change: Change, *, action: str, subject: str) -> None:
    """Decide anew on every delivery of the patient's cases, after something else than a version of it has changed."""
    consent, patient_id = change.consent, patient_of(connection, change.consent)
    concerned = _locked_cases(connection, consent.party_id, {patient_id})
    named: list[str | None] = [case.id for case in concerned]
    for case_id in named or [None]:
        audit.record(
            connection,
            at=change.at,
            actor=change.actor,
            case_id=case_id,
            patient_id=patient_id,
            action=action,
            subject=subject,
            details={"consent": f"{consent.id}/{consent.version}"},
        )
    for case in concerned:
        _reconsider_case(connection, case, change)


def patient_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Patient: what images could not be compared with is refused now, not when they arrive.

    It may have been merged, or parted again, or have brought the identifier that a study waits for.
    """
    patient = patient_from_fhir(stored.content)
    previous = _previous(connection, stored)
    touched = {stored.id, *linked_to(stored), *(linked_to(previous) if previous else ())}
    if previous is None and len(touched) == 1:
        return
    change = Change(stored, stored.stored_at, stored.client_id, _nothing_taken_back)
    for case in _locked_cases(connection, stored.party_id, touched):
        _reconsider_case(connection, case, change)
    values = {identifier.value for identifier in patient.identifiers}
    look_again_at_unmatched(connection, stored.party_id, lambda study: study.patient_id in values, now=stored.stored_at)


def redecide(
    connection: Connection, case: Case, delivery: Delivery, *, stage: str, now: datetime, ground: Ground
) -> Recorded:
    """Decide anew: a permit lets what was held go on, anything else cancels the grants. The caller has locked the case.

    What could not be decided is asked again by the delivery's own job.
    """
    recorded = egress.decide(connection, case, delivery, stage=stage, now=now, ground=ground)
    if recorded.is_permit:
        if delivery.state is DeliveryState.HELD:
            egress.enqueue_next(connection, delivery, now=now)
        return recorded
    deliveries.cancel_grants(connection, delivery.id, now)
    if not recorded.is_denied and delivery.state in (DeliveryState.PENDING, DeliveryState.HELD):
        egress.enqueue_next(connection, delivery, now=now)
    return recorded


def redecide_case(connection: Connection, case: Case, *, stage: str, now: datetime) -> None:
    """Decide anew on everything of the case that has not ended, where nobody took a consent back.

    The caller has locked the case.
    """
    ground = ground_of(connection, case)
    for delivery in _concerned(connection, case):
        recorded = redecide(connection, case, delivery, stage=stage, now=now, ground=ground)
        if recorded.is_permit:
            recalling.withdraw(connection, delivery, now=now, actor="consent", consent=used_by(recorded))


def used_by(recorded: Recorded) -> str:
    """The consents that a decision rests on, as `id/version`."""
    return ", ".join(f"{one.id}/{one.version}" for one in recorded.decision.consents)


def patient_of(connection: Connection, consent: StoredResource) -> str:
    """The id of the clinic's Patient whose consent it is. Raises Unprocessable."""
    named = resources.targets(connection, consent.id, "patient")
    patients = [one for one in named if resources.type_of(connection, consent.party_id, one) == "Patient"]
    if len(patients) != 1:
        raise Unprocessable("name the patient as Patient/id of this server", at="Consent.patient")
    return patients[0]


def _nothing_taken_back(_ground: Ground) -> Ground | None:
    return None


def _previous(connection: Connection, stored: StoredResource) -> StoredResource | None:
    """The version that this one replaced, where there was one."""
    if stored.version == 1:
        return None
    return resources.version(connection, stored.party_id, stored.type, stored.id, stored.version - 1)


def _has_ended(consent: StoredResource) -> bool:
    return consent.content.get("status") in ENDED_STATUS


def _locked_cases(connection: Connection, clinic_id: str, patient_ids: Collection[str]) -> list[Case]:
    """Every case of the patients, under all records that are theirs; their rows are locked."""
    people = [person_of(connection, clinic_id, one) for one in sorted(patient_ids)]
    records = frozenset[str]().union(*(one.records for one in people))
    found = cases.listed(connection, patient_ids=records, clinic_id=clinic_id)
    return [cases.lock(connection, case.id) for case in found]


def _concerned(connection: Connection, case: Case) -> list[Delivery]:
    """What may still leave, and what has left or may have."""
    ended = (DeliveryState.CANCELLED, DeliveryState.FAILED)
    found = deliveries.listed(connection, case_id=case.id)
    return [one for one in found if one.state not in ended or deliveries.has_been_granted(connection, one.id)]


def _reconsider_case(connection: Connection, case: Case, change: Change) -> None:
    ground = ground_of(connection, case)
    for delivery in _concerned(connection, case):
        _reconsider(connection, case, delivery, change, ground)


def _reconsider(connection: Connection, case: Case, delivery: Delivery, change: Change, ground: Ground) -> None:
    consent = change.consent
    recorded = redecide(connection, case, delivery, stage="consent", now=change.at, ground=ground)
    if recorded.is_permit:
        by = f"{consent.id}/{consent.version}"
        recalling.withdraw(connection, delivery, now=change.at, actor=change.actor, consent=by)
        return
    used = {one.id for one in recorded.decision.consents}
    granting = deliveries.granting_consents(connection, delivery.id)
    is_taken_back = bool(granting & change.taken_back) or (consent.id in used and not granting & used)
    if granting and (is_taken_back or _was_permitted(connection, case, delivery, change, ground)):
        recalling.notify(connection, delivery, consent, now=change.at, actor=change.actor)


def _was_permitted(connection: Connection, case: Case, delivery: Delivery, change: Change, ground: Ground) -> bool:
    """Whether it would be permitted at this moment without the change; what time ended nobody takes back."""
    before = None if ground.foregone is not None else change.before(ground)
    if before is None:
        return False
    decision = decide_on(
        connection,
        case,
        before,
        flow=delivery.kind.flow,
        recipient=recipient_of(connection, delivery),
        items=(item_of(connection, case, delivery),),
        payload_sha256=delivery.payload_sha256,
        now=change.at,
    )
    return decision.outcome is Outcome.PERMIT
