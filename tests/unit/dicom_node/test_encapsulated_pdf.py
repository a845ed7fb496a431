"""The report as an Encapsulated PDF object: every type 1 and 2 attribute of PS3.3 A.45.1 by hand."""

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom.dataset import FileDataset

from dicom_node.encapsulated_pdf import ObjectReference, PdfDocument, StudyIdentity, build_encapsulated_pdf
from dicom_node.header import read_file_header
from gateway.domain.errors import Invalid

IDENTITY = StudyIdentity(
    study_instance_uid="1.2.3",
    patient_id="MRN-1",
    issuer_of_patient_id="ANKARA-GH",
    patient_name="Öztürk^Ayşe",
    birth_date="19670421",
    sex="F",
    accession_number="ACC-1",
    study_id="S1",
    study_date="20251103",
    study_time="101500",
    referring_physician_name="Yıldız^Gökçe",
)
PDF = b"%PDF-1.7 odd"
MADE_AT = datetime(2025, 11, 10, 9, 30, tzinfo=timezone(timedelta(hours=3)))
SOURCE = ObjectReference("1.2.3", "1.2.3.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.1")

MUST_HAVE_A_VALUE = {
    "SOP Common C.12.1": ("SOPClassUID", "SOPInstanceUID", "SpecificCharacterSet"),
    "General Study C.7.2.1": ("StudyInstanceUID",),
    "Encapsulated Document Series C.24.1": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    "SC Equipment C.8.6.1": ("ConversionType",),
    "Encapsulated Document C.24.2": (
        "InstanceNumber",
        "BurnedInAnnotation",
        "MIMETypeOfEncapsulatedDocument",
        "EncapsulatedDocument",
    ),
}
MUST_BE_THERE = {
    "Patient C.7.1.1": ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    "General Study C.7.2.1": ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
    "General Equipment C.7.5.1": ("Manufacturer",),
    "Encapsulated Document C.24.2": (
        "ContentDate",
        "ContentTime",
        "AcquisitionDateTime",
        "DocumentTitle",
        "ConceptNameCodeSequence",
    ),
}


def build(identity: StudyIdentity = IDENTITY, **changed: Any) -> FileDataset:
    fields: dict[str, Any] = {
        "pdf": PDF,
        "title": "Second opinion",
        "made_at": MADE_AT,
        "series_instance_uid": "1.2.3.9",
        "sop_instance_uid": "1.2.3.9.1",
        "sources": (SOURCE,),
    }
    return pydicom.dcmread(BytesIO(build_encapsulated_pdf(PdfDocument(**fields | changed), identity)))


def test_all_type_1_attributes_have_a_value() -> None:
    dataset = build()
    missing = [keyword for names in MUST_HAVE_A_VALUE.values() for keyword in names if not dataset.get(keyword)]
    assert missing == []


def test_all_type_2_attributes_are_there_even_for_a_silent_archive() -> None:
    dataset = build(StudyIdentity(study_instance_uid="1.2.3", patient_id=""))
    missing = [keyword for names in MUST_BE_THERE.values() for keyword in names if keyword not in dataset]
    assert missing == []


def test_values_are_the_archives_own() -> None:
    dataset = build()
    assert dataset.PatientName == "Öztürk^Ayşe"
    assert (dataset.PatientID, dataset.IssuerOfPatientID) == ("MRN-1", "ANKARA-GH")
    assert (dataset.PatientBirthDate, dataset.PatientSex) == ("19670421", "F")
    assert (dataset.StudyInstanceUID, dataset.StudyID, dataset.AccessionNumber) == ("1.2.3", "S1", "ACC-1")
    assert (dataset.StudyDate, dataset.StudyTime) == ("20251103", "101500")
    assert dataset.ReferringPhysicianName == "Yıldız^Gökçe"


def test_odd_values_of_the_archive_are_kept() -> None:
    identity = StudyIdentity(study_instance_uid="1.2.3", patient_id="x" * 70, birth_date="04/21/1967", sex="female")
    assert read_file_header(build_bytes(identity)).patient_id == "x" * 70


def build_bytes(identity: StudyIdentity) -> bytes:
    document = PdfDocument(PDF, "t", MADE_AT, "1.2.3.9", "1.2.3.9.1")
    return build_encapsulated_pdf(document, identity)


def test_the_document_is_described() -> None:
    dataset = build()
    assert (dataset.Modality, dataset.ConversionType, dataset.BurnedInAnnotation) == ("DOC", "WSD", "YES")
    assert (dataset.ContentDate, dataset.ContentTime) == ("20251110", "093000")
    assert dataset.TimezoneOffsetFromUTC == "+0300"
    assert dataset.DocumentTitle == "Second opinion"
    code = dataset.ConceptNameCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == ("11488-4", "LN", "Consult note")
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID == "1.2.3.9.1"


def test_the_pdf_is_inside_with_its_length_and_even_padding() -> None:
    dataset = build(pdf=PDF + b"x")
    assert dataset.EncapsulatedDocumentLength == len(PDF) + 1
    assert len(dataset.EncapsulatedDocument) % 2 == 0
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == PDF + b"x"
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf"


def test_sources_and_predecessors() -> None:
    first = ObjectReference("1.2.3", "1.2.3.9", "1.2.840.10008.5.1.4.1.1.104.1", "1.2.3.9.0")
    other = ObjectReference("1.2.3", "1.2.3.8", "1.2.840.10008.5.1.4.1.1.104.1", "1.2.3.8.0")
    dataset = build(predecessors=(first, other))
    assert dataset.SourceInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.1.1"
    (study,) = dataset.PredecessorDocumentsSequence
    assert [series.SeriesInstanceUID for series in study.ReferencedSeriesSequence] == ["1.2.3.9", "1.2.3.8"]
    assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.9.0"


def test_a_pseudonymous_document_says_so() -> None:
    dataset = build(is_pseudonymous=True, has_identity_burned_in=False)
    assert (dataset.PatientIdentityRemoved, dataset.BurnedInAnnotation) == ("YES", "NO")
    assert dataset.DeidentificationMethod


def test_an_identified_document_claims_no_deidentification() -> None:
    assert "PatientIdentityRemoved" not in build()


def test_same_input_same_bytes() -> None:
    assert build_bytes(IDENTITY) == build_bytes(IDENTITY)


@pytest.mark.parametrize(
    "changed",
    [
        {"pdf": b"PK\x03\x04"},
        {"made_at": datetime(2025, 11, 10, tzinfo=UTC).replace(tzinfo=None)},
        {"sop_instance_uid": "1.02"},
        {"series_instance_uid": ""},
    ],
)
def test_what_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        build(**changed)
