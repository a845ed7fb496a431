"""The report into the clinic's EHR, under the patient's own identifiers."""

from functools import partial
from typing import Any

from fhir_mappings.codes import REPORT_SYSTEM
from fhir_mappings.diagnostic_report import diagnostic_report_to_fhir
from fhir_mappings.service_request import order_from_fhir
from gateway.domain.delivery import Receipt
from gateway.domain.errors import NotAsked
from gateway.domain.party import Identifier
from gateway.domain.report import Rendition
from gateway.services.core import Core
from gateway.services.outside import Outside
from gateway.services.patients import patient_of
from gateway.services.sending import Sending, blob_to_send
from gateway.services.signing import load_report
from gateway.store import cases, deliveries, parties, reports, resources, studies


def send_to_ehr(core: Core, sending: Sending, outside: Outside) -> Receipt:
    """Send the DiagnosticReport with its PDF; the EHR ends with one. Raises as `send`."""
    delivery = sending.delivery
    with core.database.read() as connection:
        endpoint = parties.endpoint_by_id(connection, delivery.endpoint_id)
        version = reports.by_id(connection, delivery.subject_id)
        case = cases.by_id(connection, delivery.case_id)
        report = load_report(connection, version)
        patient = patient_of(connection, case)
        ordered = resources.current(connection, case.clinic_id, "ServiceRequest", case.id)
        study_uids = studies.uids_of_case(connection, case.id)
        earlier = deliveries.earlier_receipts(connection, delivery)
    order = order_from_fhir(ordered.content, is_valid=True)  # it was not stored otherwise
    if endpoint.fhir is None:
        raise NotAsked("the clinic's endpoint is no FHIR server; register one")
    html, pdf = (blob_to_send(core, str(digest)) for digest in (version.html_sha256, version.pdf_sha256))
    rendition = Rendition(html=html, pdf=pdf)
    identifier = Identifier(REPORT_SYSTEM, version.report_key)

    def build(patient_reference: dict[str, Any]) -> dict[str, Any]:
        return diagnostic_report_to_fhir(
            report,
            patient_reference=patient_reference,
            business_identifier=identifier,
            order=order.placer,
            institution=core.institution.name,
            rendition=rendition,
            study_instance_uids=study_uids,
        )

    return outside.deliver_report(
        endpoint.fhir,
        build,
        identifier=identifier,
        patient_identifiers=patient.identifiers,
        before_send=partial(sending.permission.require, str(version.pdf_sha256)),
        resource_id=version.report_key,
        stored_reference=earlier[-1]["reference"] if earlier else "",
        read_back_first=sending.may_have_left,
        is_amendment=version.version > 1,
    )
