"""The header of received objects: what is read, what is refused, what is tolerated."""

import zlib
from datetime import date
from struct import pack

import pydicom
import pytest

from dicom_node.header import read_file_header, read_header
from gateway.domain.errors import Invalid
from tests.peers import generated
from tests.peers.files import Kind, RealFile, real_files
from tests.unit.dicom_node.encoded import data_set, element

EXPLICIT, IMPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"
PATIENT_NAME = 0x00100010
CHARACTER_SET = 0x00080005
WITHOUT_STUDY = ("JPEGLSNearLossless_16.dcm",)


def test_all_fields_of_a_generated_ct() -> None:
    (image,) = generated.ct_series(slices=1, study_instance_uid="1.2.3.4")
    header = read_file_header(generated.part10(image))
    assert header.patient_names == ("Öztürk^Ayşe Işıl",)
    assert (header.birth_date, header.sex, header.patient_id) == (date(1967, 4, 21), "female", "MRN-0048151")
    assert (header.study_instance_uid, header.issuer_of_patient_id) == ("1.2.3.4", "ANKARA-GH")
    assert header.accession_number == "ACC-2025-0117"
    assert (header.modality, header.series_number, header.instance_number) == ("CT", 2, 1)
    assert (header.study_date, header.study_description) == (date(2025, 11, 3), "BT Boyun, kontrastlı")
    assert header.transfer_syntax_uid == EXPLICIT


@pytest.mark.parametrize("file", real_files(), ids=lambda file: file.name)
def test_real_files_read_as_pydicom_reads_them(file: RealFile) -> None:
    if file.name in WITHOUT_STUDY:
        with pytest.raises(Invalid, match="StudyInstanceUID is missing"):
            read_file_header(file.path.read_bytes())
        return
    header = read_file_header(file.path.read_bytes())
    dataset = pydicom.dcmread(file.path, stop_before_pixels=True)
    assert header.sop_instance_uid == dataset.SOPInstanceUID
    assert header.modality == file.modality == dataset.Modality
    assert header.transfer_syntax_uid == file.transfer_syntax_uid
    groups = [group.strip(" ^") for group in str(dataset.get("PatientName", "")).split("=")]
    assert header.patient_names == tuple(group for group in groups if group)


@pytest.mark.parametrize("file", real_files(Kind.BROKEN), ids=lambda file: file.name)
def test_broken_real_files_are_invalid(file: RealFile) -> None:
    with pytest.raises(Invalid):
        read_file_header(file.path.read_bytes())


@pytest.mark.parametrize("file", real_files(Kind.PLAIN, Kind.BIG_ENDIAN), ids=lambda file: file.name)
def test_a_file_cut_anywhere_is_invalid(file: RealFile) -> None:
    whole = file.path.read_bytes()
    for missing in (1, 2, len(whole) // 3):
        with pytest.raises(Invalid):
            read_file_header(whole[:-missing])


@pytest.mark.parametrize("part", [2, 3, 10])
def test_a_deflated_file_cut_short_is_invalid(part: int) -> None:
    (file,) = real_files(Kind.DEFLATED)
    whole = file.path.read_bytes()
    with pytest.raises(Invalid):
        read_file_header(whole[: -len(whole) // part])


def test_encapsulated_pixel_data_without_its_delimiter_is_truncated() -> None:
    whole = next(file for file in real_files(Kind.COMPRESSED) if file.name == "MR_small_RLE.dcm").path.read_bytes()
    with pytest.raises(Invalid):
        read_file_header(whole[: whole.rindex(b"\xfe\xff\xdd\xe0")])


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED])
def test_a_jpeg_is_no_data_set(syntax: str) -> None:
    with pytest.raises(Invalid):
        read_header(generated.jpeg_pretending_to_be_dicom(), syntax)


def test_nothing_at_all_lacks_its_uids() -> None:
    with pytest.raises(Invalid, match="SOPClassUID is missing"):
        read_header(b"", EXPLICIT)


def test_a_malformed_uid_is_named_and_not_quoted() -> None:
    with pytest.raises(Invalid) as caught:
        read_header(data_set(study=(0x0020000D, "UI", b"1.2.DOE^JANE")), EXPLICIT)
    assert caught.value.at == "StudyInstanceUID"
    assert "DOE" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "encoded", "read"),
    [
        (b"ISO_IR 148", "Öztürk^Işıl".encode("iso8859_9"), ("Öztürk^Işıl",)),
        (b"ISO IR 148", "Öztürk^Işıl".encode("iso8859_9"), ("Öztürk^Işıl",)),
        (b"iso_ir 192", "Öztürk".encode(), ("Öztürk",)),
        (b"ISO_IR 192", "Öztürk".encode("iso8859_9"), ("\ufffdzt\ufffdrk",)),
        (b"", "Öztürk".encode("iso8859_9"), ("\ufffdzt\ufffdrk",)),
        (b"KLINGON", b"Worf", ("Worf",)),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", ("Yamada^Tarou", "山田^太郎")),
        (b"\\ISO 2022 IR 148", b"\x1b-M\xd6zt\xfcrk", ("Öztürk",)),
        (b"ISO_IR 100", b"odd\x1bname\x1b", ("oddname",)),
        (b"GB18030", "王^小东".encode("gb18030"), ("王^小东",)),
    ],
)
def test_character_sets_never_raise(declared: bytes, encoded: bytes, read: tuple[str, ...]) -> None:
    content = data_set(charset=(CHARACTER_SET, "CS", declared), name=(PATIENT_NAME, "PN", encoded))
    assert read_header(content, EXPLICIT).patient_names == read


@pytest.mark.parametrize(
    ("written", "read"),
    [(b"19700229", None), (b"1970.02.28", date(1970, 2, 28)), (b"1970", None), (b"today", None), (b"", None)],
)
def test_dates_are_valid_or_absent(written: bytes, read: date | None) -> None:
    assert read_header(data_set(born=(0x00100030, "DA", written)), EXPLICIT).birth_date == read


@pytest.mark.parametrize(
    ("written", "read"), [(b"M", "male"), (b"F", "female"), (b"O", "other"), (b"U", ""), (b"", ""), (b"m", "")]
)
def test_sex_is_mapped_or_absent(written: bytes, read: str) -> None:
    assert read_header(data_set(sex=(0x00100040, "CS", written)), EXPLICIT).sex == read


@pytest.mark.parametrize(("written", "read"), [(b"12", 12), (b" -3 ", -3), (b"1.5", None), (b"", None)])
def test_numbers_are_whole_or_absent(written: bytes, read: int | None) -> None:
    assert read_header(data_set(number=(0x00200013, "IS", written)), EXPLICIT).instance_number == read


def test_a_second_patient_id_is_refused() -> None:
    patient = element(0x00100020, "LO", b"A")
    with pytest.raises(Invalid, match="00100020"):
        read_header(data_set() + patient + patient, EXPLICIT)


def test_a_length_beyond_the_end_is_refused() -> None:
    with pytest.raises(Invalid):
        read_header(data_set() + pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFF0), EXPLICIT)


def test_endless_nesting_is_refused() -> None:
    level = pack("<HH2sHL", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF) + pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(Invalid, match="nested"):
        read_header(data_set() + level * 2000, EXPLICIT)


def test_a_deflated_bomb_is_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.elements._MAX_INFLATED_BYTES", 1 << 22)
    content = data_set() + pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 1 << 24) + bytes(1 << 24)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(content) + deflater.flush()
    with pytest.raises(Invalid, match="plausible"):
        read_header(bomb, DEFLATED)
