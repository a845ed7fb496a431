"""A signed report becomes readable, and deliveries to the clinic are opened for it."""

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryKind
from gateway.domain.errors import NotYet
from gateway.domain.party import Endpoint, EndpointRole
from gateway.domain.record import Case, ReportVersion
from gateway.domain.report import ReportSubject
from gateway.domain.work import Job
from gateway.services import egress
from gateway.services.core import Core
from gateway.services.egress import business_key
from gateway.services.outside import Renderer
from gateway.services.patients import patient_of_case
from gateway.services.signing import load_report
from gateway.store import audit, cases, deliveries, parties, reports, studies

KIND_BY_ROLE = {EndpointRole.EHR: DeliveryKind.REPORT_TO_EHR, EndpointRole.PACS: DeliveryKind.REPORT_TO_PACS}


def render(core: Core, job: Job, *, renderer: Renderer) -> None:
    """Make the identified rendition and open one delivery for each endpoint of the clinic. Idempotent."""
    with core.database.read() as connection:
        version = reports.by_id(connection, job.subject_id)
        case = cases.by_id(connection, version.case_id)
        report = load_report(connection, version)
        subject = _subject(connection, case)
        _require_turn(reports.listed(connection, case.id), version)
    if version.rendered_at is None:
        rendition = renderer(report, subject, fixed_identifier=version.id)
        pdf, html = core.blobs.put(rendition.pdf), core.blobs.put(rendition.html)
        with core.database.write("report.rendered") as connection:
            now = core.now()
            reports.set_rendition(connection, version.id, pdf=pdf, html=html, now=now)
            audit.record(
                connection,
                at=now,
                actor="gateway",
                action="report.rendered",
                case_id=case.id,
                subject=f"report/{version.id}",
                details={"pdf": pdf},
            )
    _open_deliveries(core, version.id)


def _require_turn(versions: list[ReportVersion], version: ReportVersion) -> None:
    """An amendment's deliveries are opened after those of the report it amends."""
    earlier = [one for one in versions if one.report_key == version.report_key and one.version < version.version]
    if any(one.rendered_at is None for one in earlier):
        raise NotYet("an earlier version is rendered first")


def _open_deliveries(core: Core, report_id: str) -> None:
    with core.database.write("report.deliveries") as connection:
        now, version = core.now(), reports.by_id(connection, report_id)
        case = cases.lock(connection, version.case_id)
        for endpoint in _receiving(connection, case):
            key = business_key("report", version.report_key, endpoint.id, version.version)
            if deliveries.by_business_key(connection, key) is not None:
                continue
            delivery = egress.open_delivery(
                connection,
                case,
                kind=KIND_BY_ROLE[endpoint.role],
                endpoint_id=endpoint.id,
                subject_id=version.id,
                business_key=key,
                payload_sha256=str(version.pdf_sha256),
                now=now,
            )
            if not egress.decide(connection, case, delivery, stage="enqueue", now=now).is_denied:
                egress.enqueue_next(connection, delivery, now=now)


def _receiving(connection: Connection, case: Case) -> list[Endpoint]:
    """The clinic's EHRs, and only the PACS that own a study of the case."""
    owners = {study.endpoint_id for study in studies.listed(connection, case_id=case.id)}
    return [
        endpoint
        for endpoint in parties.endpoints(connection, party_id=case.clinic_id)
        if endpoint.role is EndpointRole.EHR or endpoint.id in owners
    ]


def _subject(connection: Connection, case: Case) -> ReportSubject:
    patient = patient_of_case(connection, case)
    number = patient.identifiers[0].value
    return ReportSubject(patient.display_name, number, patient.identity.birth_date)
