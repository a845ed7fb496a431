"""A consent came, changed or went: what waited for it looks again, what rested on it stops, what left is recalled."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.patient import patient_from_fhir
from gateway.domain.consent import Decision, Outcome
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import GatewayError, Unprocessable
from gateway.domain.record import Case, Delivery, Disclosed
from gateway.domain.resource import StoredResource
from gateway.services import egress, recalling
from gateway.services.consent_arrival import check_arriving
from gateway.services.consents import Disclosure, Ground, Recorded, decide_on, ground_of, read_consents
from gateway.services.disclosure import flow_of, item_of, recipient_of
from gateway.services.merges import linked_to, person_of
from gateway.services.provenances import checked_claims, store_revision
from gateway.services.recall import granting_consents
from gateway.services.resource_rules import ENDED_CONSENT
from gateway.services.second_look import look_again_at_unmatched
from gateway.store import audit, cases, deliveries, resources, reviews

_Before = Callable[[Ground], Ground | None]


@dataclass(frozen=True)
class Change:
    """A consent says something else than before, or something else is told of it, since `at` by `actor`.

    `taken_back` are the consents that ended by it, or lost what they stood on: what left under one of them is asked
    back whatever else stands in its way. `before` makes of the ground of a case the one that it had before; None where
    nobody can have taken anything back.
    """

    consent: StoredResource
    at: datetime
    actor: str
    before: _Before
    taken_back: frozenset[str] = frozenset()


def consent_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Consent version, in the transaction that stores it and serialised with every grant of its cases.

    One that ends the consent gets a Provenance that says who did it and which version was replaced; what else it says
    is not looked at, for it is not evaluated. Raises Unprocessable as `check_arriving` does, and for a consent that is
    not tied to a Patient of this clinic: what nobody would find is refused, not kept.
    """
    previous = _previous(connection, stored)
    if previous is None or not _has_ended(stored):
        check_arriving(connection, stored)
    patient_id = patient_of_consent(connection, stored)
    ends = previous is not None and _has_ended(stored) and not _has_ended(previous)
    if ends:
        store_revision(connection, stored)

    def before(ground: Ground) -> Ground:
        older = () if previous is None else read_consents(connection, stored.party_id, [previous])
        return replace(ground, consents=(*(one for one in ground.consents if one.id != stored.id), *older))

    change = Change(stored, stored.stored_at, stored.client_id, before, frozenset({stored.id} if ends else ()))
    subject, details = f"Consent/{stored.id}/_history/{stored.version}", {"status": str(stored.content.get("status"))}
    _record_and_reconsider(connection, change, patient_id, action="consent.stored", subject=subject, details=details)


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
    consent, patient_id = change.consent, patient_of_consent(connection, change.consent)
    details = {"consent": f"{consent.id}/{consent.version}"}
    _record_and_reconsider(connection, change, patient_id, action=action, subject=subject, details=details)


def _record_and_reconsider(
    connection: Connection, change: Change, patient_id: str, *, action: str, subject: str, details: Mapping[str, str]
) -> None:
    """An audit row for each case of the patient, or one of the patient alone; then each case is decided anew."""
    concerned = _locked_cases(connection, change.consent.party_id, {patient_id})
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
            details=details,
        )
    for case in concerned:
        reconsider_case(connection, case, [change])


def patient_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Patient: what images could not be compared with is refused now, not when they arrive.

    It may have been merged, or parted again, or have brought the identifier that a study waits for.
    """
    patient = patient_from_fhir(stored.content)
    previous = _previous(connection, stored)
    touched = {stored.id, *linked_to(stored), *(linked_to(previous) if previous else ())}
    if previous is None and len(touched) == 1:
        return
    for case in _locked_cases(connection, stored.party_id, touched):
        redecide_case(connection, case, stage="consent", now=stored.stored_at)
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
            recalling.withdraw(connection, delivery, now=now, actor="consent", consent=used_by(recorded.decision))
    for read in reviews.orders_read(connection, case.id):
        decision = _decided(connection, case, read, ground, now)
        if decision.outcome is Outcome.PERMIT:
            recalling.withdraw(connection, read, now=now, actor="consent", consent=used_by(decision))


def used_by(decision: Decision) -> str:
    """The consents that a decision rests on, as `id/version`."""
    return ", ".join(f"{one.id}/{one.version}" for one in decision.consents)


def patient_of_consent(connection: Connection, consent: StoredResource) -> str:
    """The id of the clinic's Patient whose consent it is. Raises Unprocessable."""
    named = resources.targets(connection, consent.id, "patient")
    patients = [one for one in named if resources.type_of(connection, consent.party_id, one) == "Patient"]
    if len(patients) != 1:
        raise Unprocessable("name the patient as Patient/id of this server", at="Consent.patient")
    return patients[0]


def _previous(connection: Connection, stored: StoredResource) -> StoredResource | None:
    """The version that this one replaced, where there was one."""
    if stored.version == 1:
        return None
    return resources.version(connection, stored.party_id, stored.type, stored.id, stored.version - 1)


def _has_ended(consent: StoredResource) -> bool:
    return consent.content.get("status") in ENDED_CONSENT


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


def reconsider_case(connection: Connection, case: Case, changes: Sequence[Change]) -> None:
    """Decide anew on everything of the case, which the caller has locked, and recall what one of the changes stops.

    The changes (at least one) are those of one cause: of several consents, at one moment and by one actor.
    """
    ground, now = ground_of(connection, case), changes[0].at
    for delivery in _concerned(connection, case):
        recorded = redecide(connection, case, delivery, stage="consent", now=now, ground=ground)
        _recall_or_withdraw(connection, case, delivery, recorded.decision, changes, ground)
    # What was read of images and documents is in the notice of their delivery.
    for read in reviews.orders_read(connection, case.id):
        decision = _decided(connection, case, read, ground, now)
        _recall_or_withdraw(connection, case, read, decision, changes, ground)


def _recall_or_withdraw(
    connection: Connection,
    case: Case,
    disclosed: Disclosed,
    decision: Decision,
    changes: Sequence[Change],
    ground: Ground,
) -> None:
    if decision.outcome is Outcome.PERMIT:
        used, change = used_by(decision), changes[0]
        recalling.withdraw(connection, disclosed, now=change.at, actor=change.actor, consent=used)
        return
    granting = granting_consents(connection, disclosed)
    for change in changes if granting else ():
        is_taken_back = bool(granting & change.taken_back)
        if is_taken_back or _is_stopped(connection, case, disclosed, decision, change, ground, granting):
            recalling.notify(connection, disclosed, change.consent, now=change.at, actor=change.actor)
            return


def _is_stopped(
    connection: Connection,
    case: Case,
    disclosed: Disclosed,
    decision: Decision,
    change: Change,
    ground: Ground,
    granting: Collection[str],
) -> bool:
    """Whether it is the change that stops it: what time, or the end of a transfer, had stopped nobody takes back."""
    earlier = _before(change, ground) if decision.outcome is Outcome.DENY else None
    if earlier is None:
        return False
    before = _decided(connection, case, disclosed, earlier, change.at)
    consent_id = change.consent.id
    is_said_now = _denies(consent_id, decision, granting) and not _denies(consent_id, before, granting)
    return is_said_now or before.outcome is Outcome.PERMIT


def _before(change: Change, ground: Ground) -> Ground | None:
    """The ground without the change; None too where it could not be read, and so permitted nothing."""
    try:
        return None if ground.foregone is not None else change.before(ground)
    except GatewayError:
        return None


def _denies(consent_id: str, decision: Decision, granting: Collection[str]) -> bool:
    """Whether it is this consent that says no, and none of those under which it left."""
    transfer = decision.transfer
    is_by_transfer = transfer is not None and transfer.why in decision.reasons
    used = {one.id for one in decision.consents}
    return decision.outcome is Outcome.DENY and not is_by_transfer and consent_id in used and used.isdisjoint(granting)


def _decided(connection: Connection, case: Case, disclosed: Disclosed, ground: Ground, now: datetime) -> Decision:
    """What that ground says of it; nothing is kept of the decision."""
    asked = Disclosure(
        flow=flow_of(disclosed),
        recipient=recipient_of(connection, disclosed),
        items=(item_of(connection, case, disclosed),),
        payload_sha256=disclosed.payload_sha256,
    )
    return decide_on(connection, case, ground, asked, now=now)
