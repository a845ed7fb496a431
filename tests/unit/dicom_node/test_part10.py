"""The file format around a data set."""

from io import BytesIO

import pydicom
import pytest

from dicom_node.part10 import build_file_header, object_bytes, read_object, split_file
from gateway.domain.errors import Invalid
from tests.peers.files import local_path
from tests.unit.dicom_node.encoded import UIDS, data_set

CT, INSTANCE, SYNTAX = UIDS[0x00080016], UIDS[0x00080018], "1.2.840.10008.1.2.1"


def test_the_header_is_what_pydicom_expects() -> None:
    header = build_file_header(CT, INSTANCE, SYNTAX)
    dataset = pydicom.dcmread(BytesIO(header + data_set()))
    meta = dataset.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, INSTANCE)
    assert meta.TransferSyntaxUID == SYNTAX
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert len(header) == 132 + 12 + meta.FileMetaInformationGroupLength
    assert dataset.SOPInstanceUID == INSTANCE


def test_splitting_gives_back_what_was_put_together() -> None:
    header = build_file_header(CT, INSTANCE, SYNTAX)
    assert split_file(header + data_set()) == (SYNTAX, len(header))


def test_a_missing_group_length_is_bridged() -> None:
    content = local_path("no_meta_group_length.dcm").read_bytes()
    syntax, offset = split_file(content)
    assert syntax == "1.2.840.10008.1.2"
    assert content[offset : offset + 2] == b"\x08\x00"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0" + bytes(200), bytes(128) + b"DICM", bytes(128) + b"DICM" * 4]
)
def test_other_bytes_are_invalid(content: bytes) -> None:
    with pytest.raises(Invalid):
        split_file(content)


def test_a_group_length_beyond_the_file_is_invalid() -> None:
    header = build_file_header(CT, INSTANCE, SYNTAX)
    with pytest.raises(Invalid):
        split_file(header[:150])


def test_what_pydicom_cannot_write_is_invalid() -> None:
    dataset = read_object(build_file_header(CT, INSTANCE, SYNTAX) + data_set())
    del dataset.file_meta.MediaStorageSOPClassUID, dataset.SOPClassUID
    with pytest.raises(Invalid, match="cannot be written"):
        object_bytes(dataset)
