"""The story of a case: each station with its time, decision and receipt (design: promise 9)."""

from collections.abc import Iterator

from sqlalchemy import Connection

from gateway.domain.record import Case
from gateway.domain.story import CaseStory, Station
from gateway.services.core import Core
from gateway.services.disclosure import asked
from gateway.services.reads_told import read_stations
from gateway.services.second_look import LATE, LEFT_OUT, MATCHED
from gateway.services.waits import waits_of
from gateway.store import audit, cases, deliveries, parties, reports, studies

_TOLD = {
    "consent.stored": "consent received",
    "consent.party-changed": "somebody whom consents name was changed",
    "consent.attested": "Provenance of a consent received",
    "authority.record": "authority of a representative recorded",
    "authority.withdraw": "authority of a representative withdrawn",
    "case.reassign": "order named another reviewer",
    "case.follow-merge": "order moved to the record that the patient was merged into",
    "recall.notice": "recall notice",
    "recall.acknowledged": "recall acknowledged",
    "recall.withdrawn": "recall withdrawn",
    "job.dead": "work gave up",
    "job.retry": "work begun again by a person",
    LEFT_OUT: "what came too late left out",
    "case.close": "case closed",
    "case.reopen": "case opened again",
    "case.hold": "legal hold began",
    "case.unhold": "legal hold ended",
    "case.destroyed": "content destroyed",
}
"""Audit rows that are stations as they stand."""


def case_story(core: Core, case_id: str) -> CaseStory:
    """Everything that happened to the case and what it waits for now. Raises NotFound."""
    with core.database.read() as connection:
        case = cases.by_id(connection, case_id)
        stations = sorted(_stations(connection, case), key=lambda station: station.at)
        reviewer = parties.party_by_id(connection, case.reviewer_id).name if case.reviewer_id else ""
        return CaseStory(
            case_id=case.id,
            pseudonym=case.pseudonym,
            clinic=parties.party_by_id(connection, case.clinic_id).name,
            reviewer=reviewer,
            state=case.state,
            closed_at=case.closed_at,
            legal_hold=case.legal_hold,
            destroyed_at=case.destroyed_at,
            stations=tuple(stations),
            waits=tuple(waits_of(connection, case)),
        )


def _stations(connection: Connection, case: Case) -> Iterator[Station]:
    yield Station(case.created_at, "order received", detail=f"ServiceRequest/{case.id}")
    for row in audit.of_case(connection, case.id, actions=tuple(_TOLD)):
        yield Station(row.at, _TOLD[row.action], str(row.details.get("status", "")), detail=row.subject)
    yield from _study_stations(connection, case)
    yield from _document_stations(connection, case)
    for version in reports.listed(connection, case.id):
        label = f"report version {version.version}"
        yield Station(version.created_at, f"{label} signed", version.status, detail=f"sha256 {version.content_sha256}")
        if version.rendered_at:
            yield Station(version.rendered_at, f"{label} rendered", detail=f"pdf sha256 {version.pdf_sha256}")
    yield from _delivery_stations(connection, case)
    yield from read_stations(connection, case)


def _study_stations(connection: Connection, case: Case) -> Iterator[Station]:
    found = studies.listed(connection, case_id=case.id)
    settled = audit.of_case(connection, case.id, actions=(MATCHED, LATE))
    counts = studies.instance_counts(connection, [study.id for study in found])
    for study in found:
        count = counts.get(study.id, 0)
        yield Station(study.first_received_at, "study began to arrive", detail=f"study {study.id}")
        for row in settled:
            earlier = row.details["instances"]
            if row.subject == f"study/{study.id}" and earlier != count:
                yield Station(row.at, "study was complete for then (assumed: it went quiet)", f"{earlier} objects")
        yield Station(study.last_received_at, "study complete for now (assumed: it went quiet)", f"{count} objects")
        if study.matched_at:
            yield Station(study.matched_at, "study matched with the case", detail=f"ImagingStudy/{study.id}")
        for entry in studies.quarantined(connection, study_id=study.id, is_open=False):
            yield Station(entry.created_at, "quarantine", entry.resolution or "waiting", detail=entry.reason)
    for row in audit.of_case(connection, case.id, actions=("study.deidentified",)):
        yield Station(row.at, "study de-identified", f"{row.details.get('instances')} objects")


def _document_stations(connection: Connection, case: Case) -> Iterator[Station]:
    for document in cases.documents(connection, case_id=case.id):
        yield Station(document.created_at, "document received", detail=f"DocumentReference/{document.id}")
        if document.cleared_at:
            yield Station(document.cleared_at, f"document {document.state}", detail=f"by {document.cleared_by}")


def _delivery_stations(connection: Connection, case: Case) -> Iterator[Station]:
    of_case = {one.id: one for one in deliveries.listed(connection, case_id=case.id)}
    names = {endpoint.id: endpoint.name for endpoint in parties.endpoints(connection)}
    for row in deliveries.decisions(connection, case.id):
        delivery = of_case[row.delivery_id]
        consents = tuple(f"{consent_id}/{version}" for consent_id, version in row.consents)
        what = f"consent decided for {delivery.kind} to {names[delivery.endpoint_id]} ({row.stage})"
        why = f"{asked(connection, delivery)}: {' '.join(row.reasons)}"
        yield Station(row.decided_at, what, row.outcome, consents, why)
    receipts = deliveries.receipts(connection, case.id)
    for delivery in of_case.values():
        receipt = receipts.get(delivery.id)
        if receipt:
            detail = " ".join(part for part in (receipt["reference"], receipt["note"]) if part)
            what = f"{delivery.kind} delivered to {names[delivery.endpoint_id]}"
            yield Station(delivery.changed_at, what, receipt["status"], detail=detail)
