"""What a delivery would disclose, to whom and on what ground, as a consent speaks of it."""

from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from fhir_mappings.codes import CONSULT_NOTE, LOINC
from gateway.domain.consent import Coding, Decision, Effect, Item
from gateway.domain.consent.vocabulary import FLOW_PURPOSES
from gateway.domain.delivery import DeliveryKind
from gateway.domain.errors import NotFound
from gateway.domain.party import Party
from gateway.domain.record import Case, CaseDocument, Delivery, ReportVersion, Study
from gateway.store import cases, parties, reports, resources, studies


def recipient_of(connection: Connection, delivery: Delivery) -> Party:
    """Who would receive the delivery."""
    return parties.owner_of_endpoint(connection, delivery.endpoint_id)


def item_of(connection: Connection, case: Case, delivery: Delivery) -> Item:
    """What would leave as a consent may name it: class, code, clinical date and security labels."""
    if delivery.kind is DeliveryKind.STUDY_TO_REVIEWER:
        return study_item(connection, case, studies.by_id(connection, delivery.subject_id))
    if delivery.kind is DeliveryKind.DOCUMENT_TO_REVIEWER:
        return document_item(connection, case, cases.document_by_id(connection, delivery.subject_id))
    return report_item(connection, case, reports.by_id(connection, delivery.subject_id))


def order_item(connection: Connection, case: Case) -> Item:
    """The order itself, as a reviewer may read it: with its codes, and without a day, since it names none to them."""
    ordered = resources.current(connection, case.clinic_id, "ServiceRequest", case.id).content
    concepts = [ordered.get("code", {}), *ordered.get("reasonCode", [])]
    codings = [one for concept in concepts for one in concept.get("coding", [])]
    codes = frozenset(Coding(str(one.get("system", "")), str(one.get("code", ""))) for one in codings)
    return Item(case.id, "ServiceRequest", codes, labels=_labels(connection, case.clinic_id, "ServiceRequest", case.id))


def study_item(connection: Connection, case: Case, study: Study) -> Item:
    """DICOM says nothing of confidentiality: the label of the order that the images were made for counts for them."""
    labels = _labels(connection, case.clinic_id, "ServiceRequest", case.id)
    return Item(study.id, "ImagingStudy", date=study.study_date, labels=labels)


def document_item(connection: Connection, case: Case, document: CaseDocument) -> Item:
    """Labelled as its DocumentReference is; the order's label says nothing of a document that has none."""
    code = Coding(LOINC, document.loinc)
    labels = _labels(connection, case.clinic_id, "DocumentReference", document.id)
    return Item(document.id, "DocumentReference", frozenset({code}), document.clinical_date, labels=labels)


def report_item(connection: Connection, case: Case, version: ReportVersion) -> Item:
    """Its date in the clinic's zone, and the labels of the order that it answers beside its own."""
    zone = ZoneInfo(parties.party_by_id(connection, case.clinic_id).time_zone)
    labels = _labels(connection, version.reviewer_id, "DiagnosticReport", version.diagnostic_report_id)
    return Item(
        version.id,
        "DiagnosticReport",
        frozenset({Coding(LOINC, CONSULT_NOTE)}),
        version.created_at.astimezone(zone).date(),
        frozenset({f"DiagnosticReport/{version.diagnostic_report_id}"}),
        labels=labels | _labels(connection, case.clinic_id, "ServiceRequest", case.id),
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


def is_consented(decision: Decision) -> bool:
    """Whether a provision permitted something and none denied anything, whatever else stood against it."""
    taken = {step.effect for step in decision.steps if step.matched}
    return Effect.PERMIT in taken and Effect.DENY not in taken


def _labels(connection: Connection, party_id: str, resource_type: str, resource_id: str) -> frozenset[Coding]:
    """Its meta.security (https://hl7.org/fhir/R4/resource.html#Meta); none where there is no such resource any more."""
    try:
        found = resources.current(connection, party_id, resource_type, resource_id)
    except NotFound:
        return frozenset()
    labels = found.content.get("meta", {}).get("security", [])
    return frozenset(Coding(str(one.get("system", "")), str(one.get("code", ""))) for one in labels)
