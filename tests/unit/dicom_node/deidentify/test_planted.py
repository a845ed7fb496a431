"""Identifiers planted everywhere: none may leave."""

import io
from collections.abc import Callable

import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_node.deidentify import deidentify
from dicom_node.deidentify.table import BASIC, STRICTER
from tests.unit.dicom_node.deidentify import objects

_VALUES: dict[str, object] = {
    "AE": "SENDER_AE",
    "CS": "OZTURK",
    "DA": objects.BIRTH_DATE,
    "DT": objects.BIRTH_DATE + "101112",
    "PN": objects.NAME,
    "SH": "ÖZTÜRK",
    "UI": UID(objects.ROOT + "7"),
    "UR": f"http://pacs/{objects.PATIENT_ID}",
    **dict.fromkeys(("LO", "LT", "ST", "UC", "UT"), objects.SHORT_TEXT),
}


def _planted_everywhere(ds: Dataset) -> Dataset:
    for tag in (*BASIC, *STRICTER):
        vr = dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"
        is_meta_or_document = tag >> 16 <= 0x0004 or tag >> 16 == 0x0042 or tag in ds
        if is_meta_or_document or vr == "UN":
            continue
        if vr == "SQ":
            item = Dataset()
            item.PatientName = objects.NAME
            if BASIC.get(tag) != "X/Z/U*":  # such items stay, and a code nobody expects in them would hold the object
                item.CodeMeaning = objects.SHORT_TEXT
            ds.add_new(tag, "SQ", [item])
        elif vr in ("OB", "OW", "OB or OW"):
            ds.add_new(tag, "OB", objects.PATIENT_ID.encode() + b" ")
        elif vr in _VALUES:
            ds.add_new(tag, vr, _VALUES[vr])
    return ds


def _ct_with_everything() -> Dataset:
    return _planted_everywhere(objects.ct())


def _ct_with_everything_nested() -> Dataset:
    ds = objects.ct()
    inner = Dataset()
    inner.ReferencedImageSequence = [_planted_everywhere(Dataset())]
    ds.SharedFunctionalGroupsSequence = [inner]
    return ds


@pytest.mark.parametrize(
    "build",
    [
        objects.ct,
        lambda: objects.ct(character_set="ISO_IR 148"),
        objects.ultrasound,
        objects.report,
        lambda: objects.report(objects.KEY_OBJECTS),
        objects.presentation_state,
        objects.structure_set,
        _ct_with_everything,
        _ct_with_everything_nested,
    ],
    ids=["ct", "ct-latin5", "us", "sr", "kos", "pr", "rtstruct", "e1-1", "e1-1-nested"],
)
@pytest.mark.parametrize("is_received", [True, False], ids=["received", "in-memory"])
def test_no_planted_identifier_leaves(build: Callable[[], Dataset], is_received: bool) -> None:
    original = objects.received(build()) if is_received else build()
    assert objects.survivors(objects.written(original))
    outcome = deidentify(original, objects.pseudonyms())
    assert outcome.findings == ()
    assert outcome.dataset is not None
    data = objects.written(outcome.dataset)
    assert objects.survivors(data) == set()
    assert data[:128] == bytes(128)
    assert not any(tag.is_private for tag in dcmread(io.BytesIO(data)))


def test_identity_of_the_output_is_ours() -> None:
    names = objects.pseudonyms()
    ds = deidentify(objects.received(objects.ct()), names).dataset
    assert ds is not None
    assert (ds.PatientID, str(ds.PatientName), ds.IssuerOfPatientID) == (names.patient, names.patient, names.issuer)
    assert (ds.AccessionNumber, ds.StudyID) == (names.accession_number, names.study_id)
    assert ds.StudyDate == ""
    assert ds.PatientIdentityRemoved == "YES"
    assert "2026c" in ds.DeidentificationMethod
    code = ds.DeidentificationMethodCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
    assert ds.LongitudinalTemporalInformationModified == "REMOVED"
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert "SourceApplicationEntityTitle" not in ds.file_meta
    assert "PrivateInformation" not in ds.file_meta
    assert ds.Manufacturer == "Acme"
    assert not [tag for tag in list(ds.keys()) if 0x5000 <= tag.group <= 0x60FF]


def test_a_report_keeps_its_references_and_nothing_else() -> None:
    names = objects.pseudonyms()
    ds = deidentify(objects.received(objects.report()), names).dataset
    assert ds is not None
    assert [item.ValueType for item in ds.ContentSequence] == ["IMAGE"]
    assert ds.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == names.uid(objects.ROOT + "2.1")
    observer = ds.VerifyingObserverSequence[0]
    assert (str(observer.VerifyingObserverName), observer.VerifyingOrganization) == ("REMOVED", "REMOVED")


def test_a_report_without_references_says_that_it_was_emptied() -> None:
    original = objects.report()
    original.ContentSequence = original.ContentSequence[:2]
    ds = deidentify(objects.received(original), objects.pseudonyms()).dataset
    assert ds is not None
    assert [(item.ValueType, item.TextValue) for item in ds.ContentSequence] == [("TEXT", "REMOVED")]


def test_a_presentation_state_still_points_at_its_image_and_layer() -> None:
    names = objects.pseudonyms()
    ds = deidentify(objects.received(objects.presentation_state()), names).dataset
    assert ds is not None
    annotation = ds.GraphicAnnotationSequence[0]
    assert annotation.GraphicLayer == ds.GraphicLayerSequence[0].GraphicLayer == "LAYER1"
    assert annotation.TextObjectSequence[0].UnformattedTextValue == "REMOVED"
    image = annotation.ReferencedImageSequence[0]
    assert image.ReferencedSOPInstanceUID == names.uid(objects.ROOT + "2.1")
    assert image.ReferencedSOPClassUID == objects.CT
