"""What cannot be proven clean keeps its whole study back, until a person takes it out."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from dicom_node.encapsulated_pdf import PdfDocument, StudyIdentity, build_encapsulated_pdf
from tests.acceptance.stage import DISCLOSE, DOCUMENT, STUDY, Case, Stage
from tests.peers.generated import ct_series, part10


def _burned_in(case: Case) -> bytes:
    [*_, image] = _images(case)
    image.BurnedInAnnotation = "YES"
    return _renamed(image)


def _secondary_capture(case: Case) -> bytes:
    [*_, image] = _images(case)
    del image.BurnedInAnnotation
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    return _renamed(image)


def _document(case: Case) -> bytes:
    [image, *_] = _images(case)
    pdf = PdfDocument(
        pdf=DOCUMENT,
        title="Report",
        made_at=datetime.now(UTC),
        series_instance_uid=generate_uid(),
        sop_instance_uid=generate_uid(),
    )
    who = {"patient_name": case.person.dicom_name, "birth_date": f"{case.person.birth_date:%Y%m%d}", "sex": "F"}
    accession = case.data.accession_number
    study = StudyIdentity(image.StudyInstanceUID, case.person.patient_id, accession_number=accession, **who)
    return build_encapsulated_pdf(pdf, study)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (_burned_in, "the object declares text burned into its pixels"),
        (_secondary_capture, "images of this SOP class may show text, and nothing declares that they do not"),
        (_document, "a document cannot be proven clean"),
    ],
    ids=["burned in", "secondary capture", "document"],
)
def test_one_object_that_may_identify_holds_the_whole_study(
    stage: Stage, files: Path, build: Callable[[Case], bytes], reason: str
) -> None:
    case = stage.open_case(DISCLOSE)
    assert stage.send([*map(part10, _images(case)), build(case)], files).stored == 3
    entry = stage.until_quarantined(case)
    assert reason in entry["reason"]
    [held] = stage.deliveries(case.id)
    assert held["waits_for"].startswith("a person: 1 of the study's objects could not be proven clean")
    assert any(reason in one["what"] and entry["id"] in one["who"] for one in stage.waits(case.id))
    assert stage.at_reviewer(case) == []
    assert stage.granted(case) == []

    refused = stage.gateway.cli("quarantine", "accept", entry["id"], exit_code=1)
    assert "what the engine cannot treat is not sent" in refused
    stage.gateway.cli("quarantine", "reject", entry["id"])
    stage.until_delivery(case.id, STUDY, "delivered")
    assert sorted(ds.InstanceNumber for ds in stage.at_reviewer(case)) == [1, 2]
    assert len(stage.granted(case)) == 1


def _images(case: Case) -> list[FileDataset]:
    """The two images that may leave."""
    accession, uid = case.data.accession_number, case.data.study_instance_uid
    return list(ct_series(slices=2, patient=case.person, study_instance_uid=uid, accession=accession))


def _renamed(image: FileDataset) -> bytes:
    """The image as a third object of the study."""
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.InstanceNumber = 3
    return part10(image)
