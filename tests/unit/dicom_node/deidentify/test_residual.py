import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from dicom_node.deidentify import deidentify
from dicom_node.deidentify.identifiers import Identifier, Kind, fold_text, forms_of
from dicom_node.deidentify.residual import Probes
from gateway.domain.identity import fold_name
from tests.unit.dicom_node.deidentify import objects


def _held(original: Dataset, known: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    outcome = deidentify(objects.received(original), objects.pseudonyms(known=known))
    return [(finding.kind, finding.at) for finding in outcome.findings]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Öztürk", "residual-patient-name"),
        ("oeztuerk protocol", "residual-patient-name"),
        ("AXIAL_OZTURK_2", "residual-patient-name"),
        ("PRE-OZTURKAYSE", "residual-patient-name"),
        ("gül", "residual-patient-name"),
        ("Karabulut", "residual-person-name"),
        (f"id{objects.PATIENT_ID}", "residual-identifier"),
        ("MRN 4471902", "residual-identifier"),
        ("23.05.1977", "residual-birth-date"),
        (objects.STUDY, "residual-original-uid"),
        ("Camlica Sifa", None),
        ("CAMLICA SIFA HASTANESI", "residual-institution"),
        ("Head routine", None),
        ("1.5 T 100000001460", None),
        ("Hakan", None),
    ],
)
def test_text_that_stays_is_searched(text: str, kind: str | None) -> None:
    original = objects.ct()
    original.ProtocolName = text
    original.TypeOfFilters = text
    assert _held(original) == ([(kind, "(0018,1161)")] if kind else [])


def test_nested_text_is_found_with_its_path() -> None:
    original = objects.ct()
    plain, telling = Dataset(), Dataset()
    plain.CodeMeaning = "Head"
    telling.CodeMeaning = objects.SHORT_TEXT
    original.ProcedureCodeSequence = [plain, telling]
    assert _held(original) == [("residual-patient-name", "(0008,1032)[1]/(0008,0104)")]


def test_what_only_the_caller_knows_is_found() -> None:
    original = objects.ct()
    original.TypeOfFilters = "Yıldız"
    assert _held(original) == []
    assert _held(original, known=("YILDIZ^FATMA",)) == [("residual-known-identifier", "(0018,1161)")]


@pytest.mark.parametrize(
    "data",
    [
        f"made for {objects.PATIENT_ID}".encode(),
        "ÖZTÜRK".encode(),
        "Öztürk".encode("latin-1"),
        "ozturk".encode("utf-16-le"),
        bytes(70_000) + objects.PATIENT_ID.encode(),
    ],
)
def test_bytes_are_searched(data: bytes) -> None:
    original = objects.ct()
    original.ICCProfile = data + b"\0" * (len(data) % 2)
    assert _held(original) == [("residual-bytes", "(0028,2000)")]


def test_a_comment_inside_a_compressed_stream_is_found() -> None:
    original = objects.ct()
    original.PixelData = encapsulate([b"\xff\xd8\xff\xfe\x00\x10" + objects.PATIENT_ID.encode() + b"\0"])
    original["PixelData"].is_undefined_length = True
    original.file_meta.TransferSyntaxUID = JPEG2000Lossless
    assert _held(original) == [("residual-bytes", "(7FE0,0010)")]


def test_a_number_equal_to_an_identifier_is_found() -> None:
    original = objects.ct()
    original.SliceThickness = "0.5"
    original.AcquisitionNumber = "4471902"
    original.OtherPatientIDs = ["4471902"]
    assert _held(original) == [("residual-identifier", "(0020,0012)")]


def test_text_outside_its_character_set_is_held() -> None:
    original = objects.ct(character_set="ISO_IR 148")
    original.TypeOfFilters = "çelik"
    received = objects.received(original)
    del received[0x00080005]
    outcome = deidentify(received, objects.pseudonyms())
    assert [(finding.kind, finding.at) for finding in outcome.findings] == [("undecodable", "(0018,1161)")]


def test_an_institution_named_like_the_maker_holds_nothing() -> None:
    original = objects.ct()
    original.InstitutionName = "ACME"
    assert _held(original) == []


@pytest.mark.parametrize("name", ["ÖZTÜRK^AYŞE", "Oeztuerk, Ayse", "İbrahim IŞIK", "Größe_Straße", "Łukasz-Jørgen", ""])
def test_folds_as_the_domain_does(name: str) -> None:
    assert frozenset(fold_text(name).split()) == fold_name(name)


@pytest.mark.parametrize("text", ["ab", "", "^^", "Anonymous", "UNKNOWN", "??"])
def test_too_short_and_placeholders_are_no_identifiers(text: str) -> None:
    assert not list(forms_of(Identifier(Kind.PATIENT, text)))


def test_every_part_of_a_long_name_counts() -> None:
    probes = Probes([Identifier(Kind.KNOWN, "Ayşe^Gül^Nur^Öztürk")], (), ())
    assert [probes.match(fold_text(word)) for word in ("Nur", "OZTURK", "Ayse", "other")] == [Kind.KNOWN] * 3 + [None]


def test_short_words_are_not_found_inside_longer_ones() -> None:
    probes = Probes([Identifier(Kind.PATIENT, "Can^Ali"), Identifier(Kind.NUMBER, "4711")], (), ())
    assert probes.match(fold_text("scan validation 4711 b")) is None
    assert probes.match(fold_text("scan can")) == Kind.PATIENT
    assert probes.match(fold_text("4711")) == Kind.NUMBER
