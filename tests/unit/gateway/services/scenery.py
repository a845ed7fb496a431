"""A clinic with an EHR, a reviewer with a node, and a case between them whose study and report can be delivered."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import insert

from gateway.demo import resources
from gateway.domain.case import CaseState
from gateway.domain.delivery import DeliveryKind, Flow
from gateway.domain.ids import new_id
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, FhirAddress, Identifier, Party, PartyKind
from gateway.domain.payload import payload_sha256
from gateway.domain.record import Case, Delivery, DeliveryItem, ReportVersion
from gateway.domain.resource import StoredResource
from gateway.domain.work import Job, JobKind
from gateway.services import egress, revocation
from gateway.services.resources import store_internal
from gateway.services.story import case_story
from gateway.store import cases, deliveries, outbox, parties, reports, tables
from gateway.store.engine import Database
from tests.core import START, Clock, core_over

CLINIC = Identifier("https://parties.example", "ankara")
REVIEWER = Identifier("https://parties.example", "board")
DISCLOSE, RETURN = Flow.DISCLOSE_TO_REVIEWER, Flow.RETURN_TO_CLINIC
DATA = resources.CaseData(
    family="Öztürk",
    given="Ayşe",
    birth_date=date(1967, 4, 21),
    gender="female",
    record_number="4711",
    order_number="ORD-1",
    study_instance_uid="1.2.3.4",
    accession_number="A1",
    clinic=CLINIC,
    reviewer=REVIEWER,
)


class Scenery:
    """The case is open and assigned; nothing is consented to, and nothing has arrived."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.clock = Clock()
        self.core = core_over(database, folder, self.clock)
        with database.write("test") as connection:
            for name, kind, identifier in (
                ("ankara", PartyKind.CLINIC, CLINIC),
                ("board", PartyKind.REVIEWER, REVIEWER),
            ):
                party = Party(name, kind, name, (identifier,), "TR", "Europe/Istanbul")
                parties.add_party(connection, party, now=START)
            for endpoint in _ENDPOINTS:
                parties.add_endpoint(connection, endpoint, now=START)
            patient = store_internal(connection, "ankara", resources.patient_resource(DATA), now=START)
            self.case = Case(new_id(), "ankara", "board", patient.id, "CS-1", CaseState.OPEN, START)
            cases.add(connection, self.case)
            cases.replace_keys(connection, self.case, [(cases.STUDY_INSTANCE_UID, DATA.study_instance_uid)])

    def consent(
        self,
        flow: Flow,
        *,
        status: str = "active",
        of: str = "",
        case: resources.CaseData = DATA,
        ends: datetime | None = None,
    ) -> str:
        """The clinic stores a consent of the patient, or a new version of the one named by `of`; gives its id."""
        content = resources.consent(case, flow, f"Patient/{self.case.patient_id}", status)
        if ends is not None:
            content["provision"]["period"] = {"end": ends.isoformat()}
        with self.core.database.write("test") as connection:
            stored = store_internal(connection, "ankara", content | ({"id": of} if of else {}), now=self.clock())
            revocation.consent_stored(connection, replace_client(stored))
        return stored.id

    def study(self, state: str = "receiving") -> str:
        """The study that the order names came from the PACS; gives its id."""
        study: dict[str, object] = {"id": new_id(), "clinic_id": "ankara", "endpoint_id": "ankara-pacs"}
        study |= {"study_instance_uid": DATA.study_instance_uid, "state": state, "patient_id": "4711"}
        study |= {"issuer_of_patient_id": "", "patient_names": [], "sex": "", "accession_number": ""}
        study |= {"case_id": self.case.id if state == "matched" else None, "study_description": ""}
        study |= {"accession_pseudonym": "AC1", "first_received_at": self.clock(), "last_received_at": self.clock()}
        with self.core.database.write("test") as connection:
            connection.execute(insert(tables.study).values(study))
        return str(study["id"])

    def images(self, *uids: str, content: bytes = b"pixels", after: Delivery | None = None) -> Delivery:
        """A delivery of the study with these objects, ready to be sent; or the next of the study of `after`."""
        study_id = after.subject_id if after else self.study("matched")
        blob, key = self.core.blobs.put(content), egress.business_key("test", study_id, "board-node", int(bool(after)))
        opened = self._opened(DeliveryKind.STUDY_TO_REVIEWER, "board-node", study_id, "", key)
        items = [DeliveryItem(opened.id, n, uid, "1.2", "1.2.1", blob, None, None) for n, uid in enumerate(uids)]
        with self.core.database.write("test") as connection:
            deliveries.add_items(connection, items)
            deliveries.change(connection, opened.id, now=self.clock(), payload_sha256=payload_sha256(items))
        return self.delivery(opened.id)

    def report(self) -> Delivery:
        """A delivery of a signed report to the clinic's EHR, ready to be sent."""
        version = self.signed(1)
        return self._opened(DeliveryKind.REPORT_TO_EHR, "ankara-ehr", version.id, str(version.pdf_sha256))

    def report_to_pacs(self, number: int = 1) -> Delivery:
        """A delivery of that version of a signed report to the clinic's PACS, ready to be sent."""
        version, pacs = self.signed(number), "ankara-pacs"
        key = egress.business_key("report", version.report_key, pacs, number)
        return self._opened(DeliveryKind.REPORT_TO_PACS, pacs, version.id, str(version.pdf_sha256), key)

    def signed(self, number: int) -> ReportVersion:
        """That version of a report, rendered already."""
        pdf = self.core.blobs.put(b"%PDF-1.7")
        with self.core.database.write("test") as connection:
            kinds = ("DiagnosticReport", "Composition")
            ids = [store_internal(connection, "board", {"resourceType": kind}, now=self.clock()).id for kind in kinds]
            version = ReportVersion(
                id=new_id(),
                case_id=self.case.id,
                reviewer_id="board",
                report_key="R1",
                version=number,
                status="final",
                diagnostic_report_id=ids[0],
                composition_id=ids[1],
                composition_version=1,
                content_sha256="0" * 64,
                pdf_sha256=pdf,
                html_sha256=pdf,
                created_at=self.clock(),
                rendered_at=self.clock(),
            )
            reports.add(connection, version)
        return version

    def _opened(
        self, kind: DeliveryKind, endpoint_id: str, subject_id: str, payload: str, business_key: str = ""
    ) -> Delivery:
        with self.core.database.write("test") as connection:
            return egress.open_delivery(
                connection,
                self.case,
                kind=kind,
                endpoint_id=endpoint_id,
                subject_id=subject_id,
                business_key=business_key or egress.business_key("test", subject_id, endpoint_id, 0),
                payload_sha256=payload,
                now=self.clock(),
            )

    def delivery(self, delivery_id: str) -> Delivery:
        """As it is now."""
        with self.core.database.read() as connection:
            return deliveries.by_id(connection, delivery_id)

    def claimed(self, kind: JobKind, subject_id: str) -> Job:
        """A job of that kind, taken by a worker."""
        with self.core.database.write("test") as connection:
            job_id = outbox.enqueue(connection, kind, subject_id, case_id=None, now=self.clock())
            now, policy = self.clock(), self.core.destinations
            job = outbox.claim(connection, job_id, owner="worker", now=now, lease_s=60, policy=policy)
        assert job is not None
        return job

    def stop(self, kind: JobKind, subject_id: str, error: str = "Permanent: no room") -> str:
        """A job of that kind gave up; gives its id."""
        job = self.claimed(kind, subject_id)
        with self.core.database.write("test") as connection:
            outbox.stop(connection, job, now=self.clock(), error=error)
        return job.id

    def waits(self) -> dict[str, str]:
        """What `case show` says the case waits for -> who can move it."""
        return {wait.what: wait.who for wait in case_story(self.core, self.case.id).waits}


def replace_client(stored: StoredResource) -> StoredResource:
    """As if the clinic's own client had stored it."""
    return replace(stored, client_id="ankara-client")


_ENDPOINTS = (
    Endpoint("ankara-pacs", "ankara-pacs", "ankara", EndpointRole.PACS, dicom=DicomAddress("PACS", "127.0.0.1", 104)),
    Endpoint("ankara-ehr", "ankara-ehr", "ankara", EndpointRole.EHR, fhir=FhirAddress("https://ehr.example/fhir")),
    Endpoint("board-node", "board-node", "board", EndpointRole.REVIEWER_NODE, dicom=DicomAddress("NODE", "::1", 104)),
)
