"""The main job, end to end, against peers that nobody here wrote: Orthanc, dcmtk and sekmet-fhir."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pypdf import PdfReader

from gateway.demo import resources
from tests.acceptance.gateway import AE_TITLE, Gateway, wait_for
from tests.acceptance.scene import PACS_AE_TITLE, Scene
from tests.peers.generated import AYSE, ct_series, part10
from tests.peers.orthanc import Orthanc
from tests.peers.processes import LOOPBACK
from tests.peers.sekmet import Sekmet

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
IDENTITY = (AYSE.family, "Ayşe", AYSE.patient_id)


@pytest.mark.timeout(300)  # distributed, each program imports everything for itself
def test_a_study_becomes_a_report_in_the_clinic(
    tmp_path: Path, deployment: dict[str, Any], reviewer_node: Orthanc
) -> None:
    with (
        Gateway(tmp_path, **deployment) as gateway,
        Orthanc(ae_title=PACS_AE_TITLE, folder=tmp_path / "pacs") as pacs,
        Sekmet(folder=tmp_path / "ehr") as ehr,
    ):
        scene = Scene(gateway, pacs=pacs.address, ehr_url=ehr.base_url, node=reviewer_node.address)
        data = scene.case_data()
        ehr.create(resources.patient_resource(data))
        order = scene.order(data)

        pacs.add_modality("gateway", AE_TITLE, LOOPBACK, gateway.dicom_port)
        for ds in ct_series(slices=3, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
            pacs.upload(part10(ds))
        pacs.store_to("gateway", data.study_instance_uid)
        scene.wait_for_delivery(order.case_id, "study-to-reviewer", "delivered")

        pseudonym = scene.story(order.case_id)["pseudonym"]
        received = _of_pseudonym(reviewer_node, pseudonym)
        assert len(received) == 3
        for content in received:
            assert not any(
                word.encode(encoding) in content
                for word in IDENTITY
                for encoding in ("utf-8", "latin-1")
                if _fits(word, encoding)
            )
        images = [pydicom.dcmread(BytesIO(content)) for content in received]
        assert {str(ds.PatientName) for ds in images} == {pseudonym}
        assert {ds.StudyInstanceUID for ds in images} != {data.study_instance_uid}
        assert len({ds.SOPInstanceUID for ds in images}) == 3
        [study] = scene.request("hospital", "GET", "ImagingStudy").json()["entry"]
        assert study["resource"]["numberOfInstances"] == 3

        document_id = order.ids["DocumentReference"][0]
        assert any(document_id in wait["who"] for wait in scene.story(order.case_id)["waits"])
        gateway.cli("document", "approve", document_id)
        scene.wait_for_delivery(order.case_id, "document-to-reviewer", "delivered")
        [document] = [
            ds
            for content in _of_pseudonym(reviewer_node, pseudonym)
            if (ds := pydicom.dcmread(BytesIO(content))).SOPClassUID == ENCAPSULATED_PDF
        ]
        assert document.EncapsulatedDocument.startswith(b"%PDF-")
        assert document.StudyInstanceUID == images[0].StudyInstanceUID

        scene.report(order.case_id)
        scene.wait_for_delivery(order.case_id, "report-to-ehr", "delivered")
        scene.wait_for_delivery(order.case_id, "report-to-pacs", "delivered")

        [report] = ehr.search("DiagnosticReport")
        [patient] = ehr.search("Patient", identifier=f"{resources.MRN_SYSTEM}|{data.record_number}")
        assert report["subject"]["reference"].endswith(f"Patient/{patient['id']}")
        pdf = base64.b64decode(report["presentedForm"][0]["data"])
        pages = [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]
        assert all("Öztürk" in page for page in pages)
        [returned] = [
            ds
            for content in pacs.dicom_files()
            if (ds := pydicom.dcmread(BytesIO(content))).SOPClassUID == ENCAPSULATED_PDF
        ]
        assert returned.StudyInstanceUID == data.study_instance_uid
        assert returned.PatientID == AYSE.patient_id
        assert returned.EncapsulatedDocument.rstrip(b"\0") == pdf.rstrip(b"\0")
        assert len(returned.SourceInstanceSequence) == 3

        story = scene.story(order.case_id)
        assert story["waits"] == []
        told = " ".join(station["what"] for station in story["stations"])
        for station in (
            "order received",
            "study matched",
            "study de-identified",
            "document cleared",
            "report version 1",
        ):
            assert station in told
        disclosures = [
            row for row in gateway.shown("audit", "list", "--case", order.case_id) if row["action"] == "egress.granted"
        ]
        assert len(disclosures) == 4
        wait_for(lambda: gateway.shown("audit", "verify")["unsealed"] == 0, "the sealer")
        assert gateway.shown("audit", "verify")["broken_at"] is None
        for secret in (AYSE.family, AYSE.patient_id, "Ayşe"):
            assert secret not in gateway.logs()


def _of_pseudonym(node: Orthanc, pseudonym: str) -> list[bytes]:
    """The files that the reviewer has of one patient."""
    return [
        c for c in node.dicom_files() if pydicom.dcmread(BytesIO(c), stop_before_pixels=True).PatientID == pseudonym
    ]


def _fits(word: str, encoding: str) -> bool:
    try:
        word.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
