"""Consent, de-identification, delivery: how a matched study gets ready for the reviewer's node."""

from dataclasses import dataclass

from sqlalchemy import Connection

from dicom_node.deidentify import Finding, Pseudonyms, deidentify
from dicom_node.part10 import object_bytes, read_object
from gateway.domain.case import CaseState
from gateway.domain.delivery import DeliveryKind, DeliveryState
from gateway.domain.errors import Invalid
from gateway.domain.party import Endpoint, EndpointRole
from gateway.domain.payload import payload_sha256
from gateway.domain.pseudonym import pseudonymous_uid
from gateway.domain.record import Case, Delivery, DeliveryItem, Instance, Study
from gateway.domain.study import InstanceState
from gateway.domain.work import Job
from gateway.services import egress
from gateway.services.core import Core
from gateway.services.egress import business_key
from gateway.services.kept_blobs import kept_blob
from gateway.services.patients import records_of
from gateway.store import audit, cases, deliveries, parties, studies
from gateway.store.studies import Place

ISSUER = "CONSILIUM"
"""IssuerOfPatientID of every pseudonymous object."""


@dataclass(frozen=True)
class _Treated:
    """One instance after the engine: the UID and blob that leave, or why it must not."""

    instance: Instance
    uid: str
    blob_sha256: str
    findings: tuple[Finding, ...]


def release_study(core: Core, job: Job) -> None:
    """Open a delivery for what has not left yet, and prepare its payload once consent permits it. Idempotent."""
    delivery = _permitted_delivery(core, job)
    if delivery is None:
        return
    with core.database.read() as connection:
        study = studies.by_id(connection, job.subject_id)
        case = cases.by_id(connection, delivery.case_id)
        chosen = _unreleased(core, connection, case, study)
        known = _known_identifiers(connection, case, study)
    pseudonyms = Pseudonyms(
        patient=case.pseudonym,
        issuer=ISSUER,
        accession_number=study.accession_pseudonym,
        study_id=study.accession_pseudonym,
        uid=lambda uid: pseudonymous_uid(core.pseudonym_key, str(case.reviewer_id), uid),
        known_identifiers=known,
    )
    treated = [_treat(core, instance, pseudonyms) for instance in chosen]
    _keep(core, delivery, study, treated)


def reviewer_node(connection: Connection, case: Case) -> Endpoint | None:
    """Where the reviewer's cases are sent: the first of their nodes by name, or None while there is none."""
    nodes = parties.endpoints(connection, party_id=case.reviewer_id, role=EndpointRole.REVIEWER_NODE)
    return nodes[0] if nodes else None


def lock_unprepared(connection: Connection, delivery_id: str) -> Delivery | None:
    """The delivery as it is after long work, its case locked; None when it has ended or has its payload."""
    cases.lock(connection, deliveries.by_id(connection, delivery_id).case_id)
    delivery = deliveries.by_id(connection, delivery_id)
    is_waiting = delivery.state in (DeliveryState.PENDING, DeliveryState.HELD)
    return delivery if is_waiting and not delivery.payload_sha256 else None


def fix_payload(core: Core, connection: Connection, delivery: Delivery, items: list[DeliveryItem]) -> None:
    """Say what exactly leaves, UID and blob hash of each object in sending order, and enqueue the sending."""
    now = core.now()
    deliveries.add_items(connection, items)
    why_held = delivery.waits_for if delivery.state is DeliveryState.HELD else ""
    deliveries.change(connection, delivery.id, now=now, payload_sha256=payload_sha256(items), waits_for=why_held)
    egress.enqueue_next(connection, deliveries.by_id(connection, delivery.id), now=now)


def _permitted_delivery(core: Core, job: Job) -> Delivery | None:
    """The delivery whose payload is to be prepared now; None when there is nothing to send or no permit for it."""
    with core.database.write("release.open") as connection:
        study = studies.by_id(connection, job.subject_id)
        case = cases.lock(connection, study.case_id) if study.case_id else None
        if case is None or not _may_go_on(connection, case, study):
            return None
        delivery = _open_delivery(core, connection, case, study)
        if delivery is None:
            return None
        recorded = egress.decide(connection, case, delivery, stage="enqueue", now=core.now())
    egress.require_decided(recorded)
    return delivery if recorded.is_permit else None


def _may_go_on(connection: Connection, case: Case, study: Study) -> bool:
    """False while nobody reviews the open case, or a person has to look at an object of the study first."""
    waiting = studies.quarantined(connection, study_id=study.id)
    is_held = any(one.kind == "deidentification" for one in waiting)
    return case.reviewer_id is not None and case.state == CaseState.OPEN and not is_held


def _open_delivery(core: Core, connection: Connection, case: Case, study: Study) -> Delivery | None:
    earlier = deliveries.listed(connection, subject_id=study.id)
    unprepared = [one for one in earlier if not one.payload_sha256 and one.state is not DeliveryState.CANCELLED]
    if unprepared:
        return unprepared[0]
    if not _unreleased(core, connection, case, study):
        return None
    node = reviewer_node(connection, case)
    if node is None:
        return None
    return egress.open_delivery(
        connection,
        case,
        kind=DeliveryKind.STUDY_TO_REVIEWER,
        endpoint_id=node.id,
        subject_id=study.id,
        business_key=business_key("study", study.id, node.id, len(earlier)),
        now=core.now(),
    )


def _unreleased(core: Core, connection: Connection, case: Case, study: Study) -> list[Instance]:
    """Instances in use that no delivery of the study carries yet."""
    carried = {
        item.sop_instance_uid
        for delivery in deliveries.listed(connection, subject_id=study.id)
        for item in deliveries.items(connection, delivery.id)
    }
    stored = studies.instances(connection, study.id, state=InstanceState.STORED)
    scope = str(case.reviewer_id)
    return [one for one in stored if pseudonymous_uid(core.pseudonym_key, scope, one.sop_instance_uid) not in carried]


def _known_identifiers(connection: Connection, case: Case, study: Study) -> tuple[str, ...]:
    """What must not survive: every name and identifier that the order and the header know."""
    records = records_of(connection, case)
    known = ["^".join(name.split()) for one in records for name in one.identity.names]  # so that each part counts
    known += [*study.patient_names, study.patient_id, study.accession_number]
    known += [identifier.value for one in records for identifier in one.identifiers]
    known += cases.keys(connection, case.id, cases.ACCESSION_NUMBER)
    return tuple(dict.fromkeys(value for value in known if value))


def _treat(core: Core, instance: Instance, pseudonyms: Pseudonyms) -> _Treated:
    uid = pseudonyms.uid(instance.sop_instance_uid)
    content = kept_blob(core, instance.blob_sha256)
    try:
        outcome = deidentify(read_object(content), pseudonyms)
        clean = object_bytes(outcome.dataset) if outcome.dataset is not None else b""
    except Invalid as exc:
        return _Treated(instance, uid, "", (Finding("unreadable", exc.at, str(exc)),))
    return _Treated(instance, uid, core.blobs.put(clean) if clean else "", outcome.findings)


def _keep(core: Core, delivery: Delivery, study: Study, treated: list[_Treated]) -> None:
    """Fix the payload and let it go out; or quarantine what could not be treated and hold the whole study."""
    for one in treated:
        if one.blob_sha256:
            core.blobs.renew(one.blob_sha256)  # treating the others may have taken long
    with core.database.write("release.prepare") as connection:
        current = lock_unprepared(connection, delivery.id)
        if current is None:
            return
        if not treated:
            _cancel_empty(core, connection, current)
            return
        unclean = [one for one in treated if one.findings]
        if unclean:
            _quarantine(core, connection, current, study, unclean)
            return
        items = [_item(delivery, position, one) for position, one in enumerate(treated)]
        fix_payload(core, connection, current, items)
        audit.record(
            connection,
            at=core.now(),
            actor="gateway",
            action="study.deidentified",
            case_id=delivery.case_id,
            subject=f"study/{study.id}",
            details={"instances": len(items)},
        )


def _cancel_empty(core: Core, connection: Connection, delivery: Delivery) -> None:
    now = core.now()
    why = "the hospital's PACS team: no object of the study is left to send"
    deliveries.cancel(connection, delivery.id, now=now, why=why)
    egress.give_turn(connection, delivery, now=now)
    audit.record_of_delivery(connection, delivery, "delivery.cancel", at=now, actor="gateway")


def _words(found: Finding) -> str:
    return f"{found.message} at {found.at}" if found.at else found.message


def _item(delivery: Delivery, position: int, one: _Treated) -> DeliveryItem:
    syntax = one.instance.transfer_syntax_uid
    return DeliveryItem(delivery.id, position, one.uid, one.instance.sop_class_uid, syntax, one.blob_sha256, None, None)


def _quarantine(core: Core, connection: Connection, delivery: Delivery, study: Study, unclean: list[_Treated]) -> None:
    now = core.now()
    for one in unclean:
        reason = "; ".join(dict.fromkeys(_words(found) for found in one.findings))
        studies.set_instance_state(connection, one.instance.id, InstanceState.QUARANTINED)
        where = Place(delivery.case_id, study.id, one.instance.id)
        studies.put_in_quarantine(connection, "deidentification", reason, where, now=now)
    why = f"a person: {len(unclean)} of the study's objects could not be proven clean (consilium quarantine list)"
    if delivery.state is not DeliveryState.HELD:  # that says already who has to let it go on
        deliveries.change(connection, delivery.id, now=now, waits_for=why)
    audit.record(
        connection,
        at=now,
        actor="gateway",
        action="study.quarantined",
        case_id=delivery.case_id,
        subject=f"study/{study.id}",
        outcome="waiting",
        details={"instances": len(unclean)},
    )
