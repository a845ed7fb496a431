"""The reviewer's report comes in: authority, completeness, and one transaction that promises its way back."""

import hashlib
import json

from sqlalchemy import Connection

from fhir_mappings.diagnostic_report import report_from_fhir, report_identifier
from fhir_mappings.literal_references import search_targets
from gateway.domain.case import CaseState
from gateway.domain.errors import Conflict, Unprocessable
from gateway.domain.ids import new_id
from gateway.domain.record import Case, ReportVersion
from gateway.domain.report import Report
from gateway.domain.resource import StoredResource
from gateway.domain.work import JobKind
from gateway.store import audit, cases, outbox, reports, resources


def report_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a DiagnosticReport: a signed version of the case's report, on its way to be rendered.

    Raises Unprocessable when the reviewer has no such case or the report is not complete; the signer sees it now.
    """
    composition = _composition(connection, stored)
    report = report_from_fhir(stored.content, composition.content, id=stored.id, version=stored.version)
    case = _case(connection, stored, report)
    if any(one.report_key != stored.id for one in reports.listed(connection, case.id)):
        raise Conflict("the case has a report already; amend that one by PUT to its id")
    content = json.dumps([stored.content, composition.content], sort_keys=True, default=str).encode()
    version = ReportVersion(
        id=new_id(),
        case_id=case.id,
        reviewer_id=stored.party_id,
        report_key=stored.id,
        version=stored.version,
        status=report.status,
        diagnostic_report_id=stored.id,
        composition_id=composition.id,
        composition_version=composition.version,
        content_sha256=hashlib.sha256(content).hexdigest(),
        pdf_sha256=None,
        html_sha256=None,
        created_at=stored.stored_at,
        rendered_at=None,
    )
    reports.add(connection, version)
    subject = f"DiagnosticReport/{stored.id}/_history/{stored.version}"
    details = {"sha256": version.content_sha256}
    audit.record(
        connection,
        at=stored.stored_at,
        actor=stored.client_id,
        case_id=case.id,
        action="report.signed",
        subject=subject,
        details=details,
    )
    outbox.enqueue(connection, JobKind.REPORT_RENDER, version.id, case_id=case.id, now=stored.stored_at)


def load_report(connection: Connection, version: ReportVersion) -> Report:
    """The report of one version, mapped again from the bytes that were signed."""
    party, report_id = version.reviewer_id, version.diagnostic_report_id
    diagnostic_report = resources.version(connection, party, "DiagnosticReport", report_id, version.version)
    composition_id = version.composition_id
    composition = resources.version(connection, party, "Composition", composition_id, version.composition_version)
    return report_from_fhir(
        diagnostic_report.content,
        composition.content,
        id=report_id,
        version=version.version,
        is_valid=True,  # they were not stored otherwise
    )


def _composition(connection: Connection, stored: StoredResource) -> StoredResource:
    """The Composition that the report names, that names the report, or that shares its identifier."""
    party_id = stored.party_id
    named = {target for _, kind, target in search_targets(stored.content) if kind == "Composition"}
    if not named:
        naming = resources.referring(connection, party_id, "Composition", stored.id, parameter="diagnostic-report")
        named = {one.id for one in naming}
    if not named:
        shared = resources.id_by_identifier(connection, party_id, "Composition", report_identifier(stored.content))
        named = {shared} if shared else set()
    if len(named) != 1:
        raise Unprocessable("the report has to have exactly one Composition", at="DiagnosticReport")
    return resources.current(connection, party_id, "Composition", named.pop())


def _case(connection: Connection, stored: StoredResource, report: Report) -> Case:
    case = cases.by_pseudonym(connection, report.pseudonym)
    if case is None or case.reviewer_id != stored.party_id:
        raise Unprocessable("no case of yours has this pseudonym", at="DiagnosticReport.subject.identifier")
    if case.state != CaseState.OPEN:
        at = "DiagnosticReport.subject.identifier"
        raise Unprocessable("the case is closed; ask the centre to open it again", at=at)
    return case
