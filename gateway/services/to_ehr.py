"""The report into the clinic's EHR, under the patient's own identifiers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.codes import REPORT_SYSTEM
from fhir_mappings.diagnostic_report import diagnostic_report_to_fhir
from fhir_mappings.service_request import order_from_fhir
from gateway.domain.delivery import Receipt
from gateway.domain.errors import NotAsked
from gateway.domain.party import Identifier
from gateway.domain.record import Case, ReportVersion
from gateway.domain.report import Rendition
from gateway.services.core import Core
from gateway.services.kept_blobs import kept_blob
from gateway.services.outside import Outside
from gateway.services.patients import patient_of_case
from gateway.services.sending import Sending
from gateway.services.signing import load_report
from gateway.store import cases, deliveries, parties, reports, resources, studies


def send_to_ehr(core: Core, sending: Sending, outside: Outside) -> Receipt:
    """Send the DiagnosticReport with its PDF; the EHR ends with one. Raises as `send`."""
    delivery = sending.delivery
    with core.database.read() as connection:
        endpoint = parties.endpoint_by_id(connection, delivery.endpoint_id)
        version = reports.by_id(connection, delivery.subject_id)
        case = cases.by_id(connection, delivery.case_id)
        patient = patient_of_case(connection, case)
        resource_of = _mapping(core, connection, case, version)
        earlier = deliveries.earlier_receipts(connection, delivery)
    if endpoint.fhir is None:
        raise NotAsked("the clinic's endpoint is no FHIR server; register one")
    rendition = _rendition(core, version)
    return outside.deliver_report(
        endpoint.fhir,
        lambda patient_reference: resource_of(patient_reference=patient_reference, rendition=rendition),
        identifier=_identifier(version),
        patient_identifiers=patient.identifiers,
        before_send=partial(sending.permission.require, str(version.pdf_sha256)),
        resource_id=version.report_key,
        stored_reference=earlier[-1]["reference"] if earlier else "",
        read_back_first=sending.may_have_left,
        has_just_left=sending.has_just_left,
        is_amendment=version.version > 1,
    )


def _mapping(core: Core, connection: Connection, case: Case, version: ReportVersion) -> Callable[..., dict[str, Any]]:
    """What makes the DiagnosticReport once its rendition and the EHR's Patient are known."""
    ordered = resources.current(connection, case.clinic_id, "ServiceRequest", case.id)
    return partial(
        diagnostic_report_to_fhir,
        load_report(connection, version),
        business_identifier=_identifier(version),
        order=order_from_fhir(ordered.content, is_valid=True).placer,  # it was not stored otherwise
        institution=core.institution.name,
        study_instance_uids=studies.uids_of_case(connection, case.id),
    )


def _identifier(version: ReportVersion) -> Identifier:
    """The report's own, the same in all its versions."""
    return Identifier(REPORT_SYSTEM, version.report_key)


def _rendition(core: Core, version: ReportVersion) -> Rendition:
    html, pdf = (kept_blob(core, str(digest)) for digest in (version.html_sha256, version.pdf_sha256))
    return Rendition(html=html, pdf=pdf)
