"""What a delivery would disclose, to whom and on what ground, as a consent speaks of it."""

from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from fhir_mappings.codes import CONSULT_NOTE, LOINC
from gateway.domain.consent import Coding, Item
from gateway.domain.consent.vocabulary import FLOW_PURPOSES
from gateway.domain.delivery import DeliveryKind
from gateway.domain.party import Party
from gateway.domain.record import Case, Delivery
from gateway.store import cases, parties, reports, studies


def recipient_of(connection: Connection, delivery: Delivery) -> Party:
    """Who would receive the delivery."""
    return parties.owner_of_endpoint(connection, delivery.endpoint_id)


def item_of(connection: Connection, case: Case, delivery: Delivery) -> Item:
    """What would leave as a consent may name it: class, code and clinical date, a report's in the clinic's zone."""
    subject_id = delivery.subject_id
    if delivery.kind is DeliveryKind.STUDY_TO_REVIEWER:
        study = studies.by_id(connection, subject_id)
        return Item(study.id, "ImagingStudy", date=study.study_date)
    if delivery.kind is DeliveryKind.DOCUMENT_TO_REVIEWER:
        document = cases.document_by_id(connection, subject_id)
        code = Coding(LOINC, document.loinc)
        return Item(document.id, "DocumentReference", frozenset({code}), document.clinical_date)
    version = reports.by_id(connection, subject_id)
    code = Coding(LOINC, CONSULT_NOTE)
    names = frozenset({f"DiagnosticReport/{version.diagnostic_report_id}"})
    zone = ZoneInfo(parties.party_by_id(connection, case.clinic_id).time_zone)
    day = version.created_at.astimezone(zone).date()
    return Item(version.id, "DiagnosticReport", frozenset({code}), day, names)


def asked(connection: Connection, delivery: Delivery) -> str:
    """What a consent has to permit for this delivery: flow, recipient and purpose."""
    flow = delivery.kind.flow
    return f"{flow} to {recipient_of(connection, delivery).name} for {' or '.join(sorted(FLOW_PURPOSES[flow]))}"
