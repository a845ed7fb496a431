"""A core over a database of its own, a clinic with a PACS, and objects that arrive from it."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from dicom_node.header import read_file_header
from fhir_mappings.bundle import read_transaction
from gateway.demo.resources import CaseData
from gateway.domain.caller import Caller
from gateway.domain.destruction import RetentionPolicy
from gateway.domain.ids import new_id
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, Identifier, Party, PartyKind
from gateway.domain.report import Rendition, Report, ReportSubject
from gateway.domain.resource import StoredResource
from gateway.domain.work import QUEUES, JobKind
from gateway.services import (
    anchoring,
    audit_export,
    closing,
    document_release,
    indexing,
    matching,
    overdue,
    recheck,
    registry,
    release,
    rendering,
    retention,
)
from gateway.services.effects import before_storing, effects
from gateway.services.intake import Arrival
from gateway.services.registry import NewEndpoint, Registration
from gateway.services.resources import Intake, store
from gateway.services.work import Handler, run_job
from gateway.store import doorbell
from gateway.store.engine import Database
from tests.core import core_over
from tests.peers.generated import AYSE, part10

CLINIC = Identifier("urn:oid:2.16.792.1.2.3", "ankara-general")
REVIEWER = Identifier("https://reviewer.example/id", "prof-yildirim")
Json = dict[str, Any]


class Stage:
    """Everything below one folder; the clock is the machine's, moved by `ahead`."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.anchors = folder / "anchors"
        self.ahead = timedelta()
        self.policy = RetentionPolicy.of_days(close_after_days=30, keep_days=0)
        self.core = core_over(database, folder, lambda: datetime.now(UTC) + self.ahead)
        self.pacs, self.clinic, self.reviewer = self._registered()

    def arrival(self, ds: FileDataset) -> Arrival:
        """The object in the spool, as the DICOM node hands it over."""
        content = part10(ds)
        path = self.spool / f"{new_id()}.dcm"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return Arrival(path, read_file_header(content), digest, len(content), self.pacs, "association")

    def post(self, *bodies: Json, by: Party | None = None) -> list[StoredResource]:
        """One request of the clinic's client, or of another party's; each body is a resource to create, or a Bundle."""
        [bundle] = bodies if bodies[0]["resourceType"] == "Bundle" else [transaction(*bodies)]
        intake = Intake(self.core.database, self.core.now, effects(self.core), before_storing(self.core))
        caller = Caller("client", by or self.clinic)
        return [stored.resource for stored in store(intake, caller, read_transaction(bundle))]

    def case_data(self) -> CaseData:
        """A case of the clinic whose order names a study of its own."""
        number = new_id()[:10]
        return CaseData(
            family=AYSE.family,
            given=AYSE.given,
            birth_date=AYSE.birth_date,
            gender="female",
            record_number=AYSE.patient_id,
            order_number=f"ORD-{number}",
            study_instance_uid=generate_uid(),
            accession_number=f"A{number}",
            clinic=CLINIC,
            reviewer=REVIEWER,
        )

    def work(self, *, send: Handler = lambda _job: None) -> None:
        """Do every job that is due, and those they lead to; nothing is sent unless `send` does it."""
        handlers: dict[JobKind, Handler] = {
            JobKind.STUDY_SETTLE: partial(matching.settle, self.core),
            JobKind.STUDY_RELEASE: partial(release.release_study, self.core),
            JobKind.DOCUMENT_RELEASE: partial(document_release.release_document, self.core),
            JobKind.REPORT_RENDER: partial(rendering.render, self.core, renderer=_rendered),
            JobKind.DELIVERY_SEND: send,
            JobKind.CASE_RECHECK: partial(recheck.recheck, self.core),
            JobKind.DELIVERY_OVERDUE: partial(overdue.ask_about_overdue, self.core),
            JobKind.CASE_CLOSING: partial(closing.close_due, self.core, policy=self.policy),
            JobKind.RETENTION: partial(retention.destroy_due, self.core, policy=self.policy),
            JobKind.AUDIT_ANCHOR: partial(anchoring.anchor_due, self.core, folder=self.anchors),
            JobKind.AUDIT_EXPORT: partial(audit_export.export_due, self.core, send=None, host=""),
            JobKind.RESOURCE_INDEX: partial(indexing.index_due, self.core),
        }
        while due := self._due():
            for job_id in due:
                run_job(self.core, job_id, handlers)

    def _due(self) -> list[str]:
        with self.core.database.read() as connection:
            found = doorbell.due(
                connection,
                self.core.now(),
                room=dict.fromkeys(QUEUES.values(), 99),
                policy=self.core.destinations,
                ring_again_after=timedelta(0),
            )
        return [job_id for job_id, _ in found]

    def _registered(self) -> tuple[Endpoint, Party, Party]:
        pacs = NewEndpoint("pacs", EndpointRole.PACS, dicom=DicomAddress("PACS", "10.0.0.5", 104))
        node = NewEndpoint("node", EndpointRole.REVIEWER_NODE, dicom=DicomAddress("NODE", "10.0.0.6", 104))
        clinic = self._register("ankara", PartyKind.CLINIC, CLINIC, pacs)
        return clinic.endpoints[0], clinic.party, self._register("deniz", PartyKind.REVIEWER, REVIEWER, node).party

    def _register(self, name: str, kind: PartyKind, identifier: Identifier, endpoint: NewEndpoint) -> Registration:
        return registry.register_party(
            self.core.database,
            kind=kind,
            name=name,
            identifiers=[identifier],
            country="TR",
            time_zone="Europe/Istanbul",
            endpoints=[endpoint],
            actor="test",
            now=self.core.now(),
        )


def _rendered(report: Report, subject: ReportSubject, *, fixed_identifier: str) -> Rendition:
    return Rendition(
        f"<p>{subject.record_number} {report.version}</p>".encode(), f"%PDF-1.7 {fixed_identifier}".encode()
    )


def transaction(*created: Json) -> Json:
    """A Bundle that creates these; the fullUrl of each is `urn:uuid:` and its number, from 0."""
    entries = [
        {"fullUrl": full_url(number), "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
        for number, one in enumerate(created)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def update(stored: StoredResource, **changes: Any) -> Json:
    """A Bundle that replaces what is stored by the same with these elements changed."""
    changed = dict(stored.content) | changes
    url = f"{stored.type}/{stored.id}"
    entry = {"fullUrl": f"https://gateway.example/fhir/{url}", "resource": changed}
    entry["request"] = {"method": "PUT", "url": url}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}


def full_url(number: int) -> str:
    """Of one of the resources of a `transaction`."""
    return f"urn:uuid:{UUID(int=number)}"
