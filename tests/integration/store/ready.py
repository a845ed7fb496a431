"""Cases of which something is ready to be sent, made as fast as may be: each of a patient of its own."""

from dataclasses import replace
from io import BytesIO

from pydicom import dcmread
from sqlalchemy import insert

from dicom_node.encapsulated_pdf import PdfDocument, StudyIdentity, build_encapsulated_pdf
from dicom_node.header import read_file_header
from gateway.demo import resources as demo
from gateway.domain.case import CaseState, DocumentState
from gateway.domain.delivery import DeliveryKind, DeliveryState
from gateway.domain.ids import new_id
from gateway.domain.payload import payload_sha256
from gateway.domain.record import Case, CaseDocument, Delivery, DeliveryItem, ReportVersion
from gateway.services.egress import business_key, enqueue_next, open_delivery
from gateway.services.resources import store_internal
from gateway.store import cases, deliveries, reports, tables
from tests.integration.store.raced_destinations import Destinations
from tests.peers.generated import ct_series, part10
from tests.peers.registered_study import RegisteredStudy
from tests.unit.gateway.services.scenery import DATA, Scenery

OBJECTS = 3
_PDF = b"%PDF-1.7\na document\n%%EOF\n"
_ENDPOINTS = {
    DeliveryKind.STUDY_TO_REVIEWER: "board-node",
    DeliveryKind.DOCUMENT_TO_REVIEWER: "board-node",
    DeliveryKind.REPORT_TO_EHR: "ankara-ehr",
    DeliveryKind.REPORT_TO_PACS: "ankara-pacs",
}


class Ready:
    """Makes them for the clinic and the reviewer of a scenery, whose systems know what a delivery needs there."""

    def __init__(self, scenery: Scenery, destinations: Destinations) -> None:
        self._database, self._clock, self._blobs = scenery.core.database, scenery.clock, scenery.core.blobs
        self._destinations = destinations
        self._pdf = self._blobs.put(_PDF)
        series = ct_series(slices=OBJECTS, study_instance_uid="1.2.3.9", edge_pixels=8)
        pdf = PdfDocument(_PDF, "Document", self._clock(), "1.2.3.8.1", "1.2.3.8.1.1", is_pseudonymous=True)
        document = build_encapsulated_pdf(pdf, StudyIdentity("1.2.3.8", "CS-R"))
        self._images = [self._kept(part10(one)) for one in series]
        self._documents = [self._kept(document)]

    def case(self, number: int) -> Case:
        """A new patient's, ordered."""
        data, now = _data(number), self._clock()
        with self._database.write("test") as connection:
            patient = store_internal(connection, "ankara", demo.patient_resource(data), now=now)
            order = demo.service_request(data, f"Patient/{patient.id}", "Organization/1")
            ordered = store_internal(connection, "ankara", order, now=now)
            case = Case(ordered.id, "ankara", "board", patient.id, f"CS-R{number}", CaseState.OPEN, now)
            cases.add(connection, case)
        return case

    def delivery(self, number: int, case: Case, kind: DeliveryKind) -> Delivery:
        """Ready to be sent, its job due: a report, a document, or a study of OBJECTS objects."""
        make = {
            DeliveryKind.STUDY_TO_REVIEWER: self._study_to_reviewer,
            DeliveryKind.DOCUMENT_TO_REVIEWER: self._document_to_reviewer,
            DeliveryKind.REPORT_TO_EHR: self._report_to_ehr,
            DeliveryKind.REPORT_TO_PACS: self._report_to_pacs,
        }[kind]
        opened = make(number, case)
        with self._database.write("test") as connection:
            enqueue_next(connection, deliveries.by_id(connection, opened.id), now=self._clock())
        return opened

    def _kept(self, content: bytes) -> tuple[str, str, str, str]:
        """What an item needs to know of an object; the reviewer's node will take it."""
        self._destinations.archive.register(RegisteredStudy.of(dcmread(BytesIO(content))))
        header = read_file_header(content)
        return (
            header.sop_instance_uid,
            header.sop_class_uid,
            header.transfer_syntax_uid,
            self._blobs.put(content),
        )

    def _study_to_reviewer(self, number: int, case: Case) -> Delivery:
        return self._of_objects(case, DeliveryKind.STUDY_TO_REVIEWER, self._study(number, case), self._images)

    def _document_to_reviewer(self, number: int, case: Case) -> Delivery:
        """Cleared, beside images that have arrived."""
        beside = self._opened(case, DeliveryKind.STUDY_TO_REVIEWER, self._study(number, case), "")
        content = demo.document(f"Patient/{case.patient_id}", f"ServiceRequest/{case.id}", _PDF)
        now, pdf, cleared = self._clock(), self._pdf, DocumentState.CLEARED
        with self._database.write("test") as connection:
            deliveries.change(connection, beside.id, now=now, state=DeliveryState.DELIVERED)
            kept = store_internal(connection, "ankara", content, now=now)
            document = CaseDocument(kept.id, case.id, cleared, "", "11526-1", now.date(), pdf, pdf, "x", now, now)
            cases.add_document(connection, document)
        return self._of_objects(case, DeliveryKind.DOCUMENT_TO_REVIEWER, document.id, self._documents)

    def _report_to_ehr(self, number: int, case: Case) -> Delivery:
        """Its EHR knows the patient and the order."""
        data, ehr = _data(number), self._destinations.ehr
        patient_id = ehr.add_patient(demo.patient_resource(data))
        ehr.add_order(demo.service_request(data, f"Patient/{patient_id}", "Organization/1"))
        return self._opened(case, DeliveryKind.REPORT_TO_EHR, self._report(number, case), self._pdf)

    def _report_to_pacs(self, number: int, case: Case) -> Delivery:
        """Its PACS has the study."""
        self._study(number, case)
        person = {"patient_name": f"{DATA.family}^{DATA.given}", "birth_date": f"{DATA.birth_date:%Y%m%d}", "sex": "F"}
        self._destinations.archive.register(RegisteredStudy(f"1.2.{number}", f"{number}", **person))
        return self._opened(case, DeliveryKind.REPORT_TO_PACS, self._report(number, case), self._pdf)

    def _of_objects(
        self, case: Case, kind: DeliveryKind, subject_id: str, objects: list[tuple[str, str, str, str]]
    ) -> Delivery:
        opened = self._opened(case, kind, subject_id, "")
        items = [DeliveryItem(opened.id, place, *one, None, None) for place, one in enumerate(objects)]
        with self._database.write("test") as connection:
            deliveries.add_items(connection, items)
            deliveries.change(connection, opened.id, now=self._clock(), payload_sha256=payload_sha256(items))
        return opened

    def _opened(self, case: Case, kind: DeliveryKind, subject_id: str, payload: str) -> Delivery:
        to = _ENDPOINTS[kind]
        with self._database.write("test") as connection:
            return open_delivery(
                connection,
                case,
                kind=kind,
                endpoint_id=to,
                subject_id=subject_id,
                business_key=business_key("test", subject_id, to, 0),
                payload_sha256=payload,
                now=self._clock(),
            )

    def _study(self, number: int, case: Case) -> str:
        study: dict[str, object] = {"id": new_id(), "clinic_id": "ankara", "endpoint_id": "ankara-pacs"}
        study |= {"study_instance_uid": f"1.2.{number}", "state": "matched", "patient_id": f"{number}"}
        study |= {"issuer_of_patient_id": "", "patient_names": [], "sex": "", "accession_number": ""}
        study |= {"case_id": case.id, "study_description": "", "accession_pseudonym": f"A{number}"}
        study |= {"first_received_at": self._clock(), "last_received_at": self._clock()}
        with self._database.write("test") as connection:
            connection.execute(insert(tables.study).values(study))
        return str(study["id"])

    def _report(self, number: int, case: Case) -> str:
        """Signed and rendered; gives the id of the version."""
        now = self._clock()
        signed = demo.report_bundle(case.pseudonym, number=f"{number}", signed_at=now)["entry"]
        with self._database.write("test") as connection:
            report, composition = (store_internal(connection, "board", one["resource"], now=now) for one in signed)
            version = ReportVersion(
                id=new_id(),
                case_id=case.id,
                reviewer_id="board",
                report_key=f"R{number}",
                version=1,
                status="final",
                diagnostic_report_id=report.id,
                composition_id=composition.id,
                composition_version=1,
                content_sha256="0" * 64,
                pdf_sha256=self._pdf,
                html_sha256=self._pdf,
                created_at=now,
                rendered_at=now,
            )
            reports.add(connection, version)
        return version.id


def _data(number: int) -> demo.CaseData:
    return replace(DATA, record_number=f"{number}", order_number=f"{number}")
