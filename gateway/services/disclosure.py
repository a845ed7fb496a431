"""What a delivery would disclose, to whom and on what ground, as a consent speaks of it."""

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from fhir_mappings.codes import CONSULT_NOTE, DIAGNOSTIC_SERVICE_SYSTEM, LOINC, OTHER_SERVICE
from gateway.domain.consent import Coding, Decision, Effect, Item
from gateway.domain.consent.vocabulary import FLOW_PURPOSES
from gateway.domain.delivery import DeliveryKind, Flow, ReadGrant
from gateway.domain.errors import NotFound
from gateway.domain.party import Party
from gateway.domain.record import Case, CaseDocument, Delivery, Disclosed, ReportVersion, Study
from gateway.store import cases, parties, reports, resources, studies


def recipient_of(connection: Connection, disclosed: Disclosed) -> Party:
    """Who would receive the delivery, or has read it."""
    if isinstance(disclosed, ReadGrant):
        return parties.party_by_id(connection, disclosed.party_id)
    return parties.owner_of_endpoint(connection, disclosed.endpoint_id)


def flow_of(disclosed: Disclosed) -> Flow:
    """The consent that it stands on."""
    return Flow.DISCLOSE_TO_REVIEWER if isinstance(disclosed, ReadGrant) else disclosed.kind.flow


def item_of(connection: Connection, case: Case, disclosed: Disclosed) -> Item:
    """What would leave as a consent may name it: class, code, clinical date and security labels; of reads the order."""
    if isinstance(disclosed, ReadGrant):
        return order_item(connection, case)
    return _item_of_delivery(connection, case, disclosed)


def _item_of_delivery(connection: Connection, case: Case, delivery: Delivery) -> Item:
    if delivery.kind is DeliveryKind.STUDY_TO_REVIEWER:
        return study_item(connection, case, studies.by_id(connection, delivery.subject_id))
    if delivery.kind is DeliveryKind.DOCUMENT_TO_REVIEWER:
        return document_item(connection, case, cases.document_by_id(connection, delivery.subject_id))
    return report_item(connection, case, reports.by_id(connection, delivery.subject_id))


def order_item(connection: Connection, case: Case) -> Item:
    """The order itself, as a reviewer may read it: with its codes, and without a day, since it names none to them."""
    ordered = _content(connection, case.clinic_id, "ServiceRequest", case.id)
    codes = _codings(ordered, "code", "reasonCode")
    return Item(case.id, "ServiceRequest", codes, labels=_labels(ordered), mentions=_codings(ordered, "category"))


def study_item(connection: Connection, case: Case, study: Study) -> Item:
    """DICOM says nothing of confidentiality: the label of the order that the images were made for counts for them."""
    labels = _labels(_content(connection, case.clinic_id, "ServiceRequest", case.id))
    return Item(study.id, "ImagingStudy", date=study.study_date, labels=labels)


def document_item(connection: Connection, case: Case, document: CaseDocument) -> Item:
    """Labelled as its DocumentReference is; the order's label says nothing of a document that has none."""
    kept = _content(connection, case.clinic_id, "DocumentReference", document.id)
    context = _codings(kept.get("context", {}), "facilityType", "practiceSetting", "event")
    return Item(
        document.id,
        "DocumentReference",
        frozenset({Coding(LOINC, document.loinc)}) | _codings(kept, "type"),
        document.clinical_date,
        labels=_labels(kept),
        mentions=_codings(kept, "category") | context,
    )


def report_item(connection: Connection, case: Case, version: ReportVersion) -> Item:
    """Its date in the clinic's zone, its labels and those of the order that it answers.

    Its Composition stays here; what leaves is made of it, and has its codes.
    """
    zone = ZoneInfo(parties.party_by_id(connection, case.clinic_id).time_zone)
    ordered = _content(connection, case.clinic_id, "ServiceRequest", case.id)
    report = _content(connection, version.reviewer_id, "DiagnosticReport", version.diagnostic_report_id)
    composition = _content(connection, version.reviewer_id, "Composition", version.composition_id)
    sent_as = frozenset({Coding(DIAGNOSTIC_SERVICE_SYSTEM, OTHER_SERVICE)})
    return Item(
        version.id,
        "DiagnosticReport",
        frozenset({Coding(LOINC, CONSULT_NOTE)}) | _codings(report, "code") | _codings(composition, "type"),
        version.created_at.astimezone(zone).date(),
        frozenset({f"DiagnosticReport/{version.diagnostic_report_id}"}),
        labels=_labels(report) | _labels(composition) | _labels(ordered),
        mentions=sent_as | _codings(report, "category") | _codings(composition, "category"),
    )


def asked(connection: Connection, delivery: Delivery) -> str:
    """What a consent has to permit for this delivery: flow, recipient and purpose."""
    flow = delivery.kind.flow
    return f"{flow} to {recipient_of(connection, delivery).name} for {' or '.join(sorted(FLOW_PURPOSES[flow]))}"


def who_can_permit(connection: Connection, case: Case, delivery: Delivery, decision: Decision) -> str:
    """Who moves what is denied: an administrator where only a transfer is missing, else the clinic by which consent."""
    clinic = parties.party_by_id(connection, case.clinic_id)
    if decision.transfer is not None and not decision.transfer.is_permitted and is_consented(decision):
        to = recipient_of(connection, delivery).name
        return f"an administrator, by consilium transfer add --clinic {clinic.name} --to {to}"
    return f"the clinic {clinic.name}, by a consent of the patient that permits {asked(connection, delivery)}"


def transfer_used(decision: Decision) -> dict[str, str]:
    """For an audit row: the id of the instrument on which what is permitted goes to another country, if it does."""
    used = decision.transfer.instrument if decision.transfer is not None else None
    return {} if used is None else {"transfer": used.id}


def is_consented(decision: Decision) -> bool:
    """Whether a provision permitted something and none denied anything, whatever else stood against it."""
    taken = {step.effect for step in decision.steps if step.matched}
    return Effect.PERMIT in taken and Effect.DENY not in taken


def _labels(resource: dict[str, Any]) -> frozenset[Coding]:
    """Its meta.security (https://hl7.org/fhir/R4/resource.html#Meta)."""
    return _read(resource.get("meta", {}).get("security", []))


def _codings(holder: dict[str, Any], *elements: str) -> frozenset[Coding]:
    """Those of the CodeableConcepts in these elements, whether there may be one or many."""
    held = [holder.get(name, []) for name in elements]
    concepts = [one for each in held for one in (each if isinstance(each, list) else [each])]
    return _read([coding for concept in concepts for coding in concept.get("coding", [])])


def _read(codings: list[dict[str, Any]]) -> frozenset[Coding]:
    return frozenset(Coding(str(one.get("system", "")), str(one.get("code", ""))) for one in codings)


def _content(connection: Connection, party_id: str, resource_type: str, resource_id: str) -> dict[str, Any]:
    """Nothing where it was destroyed."""
    try:
        return resources.current(connection, party_id, resource_type, resource_id).content
    except NotFound:
        return {}
