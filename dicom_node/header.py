"""The few attributes that identify a received object, and the proof that its data set is whole."""

import re
from datetime import date

from dicom_node.elements import Buffer, Encoding, read_elements
from dicom_node.part10 import split_file
from dicom_node.text import character_set_encoding, decode_text
from gateway.domain.errors import Invalid
from gateway.domain.identity import SEX_BY_CODE
from gateway.domain.study import InstanceHeader
from gateway.domain.uids import is_valid_uid

_TAGS = {
    "SpecificCharacterSet": 0x00080005,
    "SOPClassUID": 0x00080016,
    "SOPInstanceUID": 0x00080018,
    "StudyDate": 0x00080020,
    "AccessionNumber": 0x00080050,
    "Modality": 0x00080060,
    "StudyDescription": 0x00081030,
    "PatientName": 0x00100010,
    "PatientID": 0x00100020,
    "IssuerOfPatientID": 0x00100021,
    "PatientBirthDate": 0x00100030,
    "PatientSex": 0x00100040,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "SeriesNumber": 0x00200011,
    "InstanceNumber": 0x00200013,
}
_WANTED = frozenset(_TAGS.values())
_DATE = re.compile(r"(\d{4})(\.?)(\d\d)\2(\d\d)", re.ASCII)  # PS3.5 6.2, with the dots of ACR-NEMA


def read_header(data_set: Buffer, transfer_syntax_uid: str) -> InstanceHeader:
    """What identifies the object, from a bare data set (no preamble, no group 2) in that transfer syntax.

    The whole data set is walked, so success also says that it is complete. Raises Invalid for a truncated or foreign
    byte stream and for missing or malformed UIDs; text in a wrong character set and bad dates do not raise.
    """
    fields = _Fields(read_elements(data_set, Encoding.of(transfer_syntax_uid), _WANTED))
    return InstanceHeader(
        sop_class_uid=fields.uid("SOPClassUID"),
        sop_instance_uid=fields.uid("SOPInstanceUID"),
        study_instance_uid=fields.uid("StudyInstanceUID"),
        series_instance_uid=fields.uid("SeriesInstanceUID"),
        transfer_syntax_uid=transfer_syntax_uid,
        modality=fields.plain("Modality"),
        patient_id=fields.text("PatientID"),
        issuer_of_patient_id=fields.text("IssuerOfPatientID"),
        patient_names=fields.names("PatientName"),
        birth_date=fields.date("PatientBirthDate"),
        sex=SEX_BY_CODE.get(fields.plain("PatientSex"), ""),
        accession_number=fields.text("AccessionNumber"),
        study_date=fields.date("StudyDate"),
        study_description=fields.text("StudyDescription"),
        series_number=fields.integer("SeriesNumber"),
        instance_number=fields.integer("InstanceNumber"),
    )


def read_file_header(part10: Buffer) -> InstanceHeader:
    """The same from a Part 10 file, whose own meta information names the transfer syntax. Raises Invalid likewise."""
    transfer_syntax_uid, offset = split_file(part10)
    return read_header(memoryview(part10)[offset:], transfer_syntax_uid)


class _Fields:
    def __init__(self, raw: dict[int, bytes]) -> None:
        self._raw = raw
        self._encoding = character_set_encoding(raw.get(_TAGS["SpecificCharacterSet"], b""))

    def plain(self, keyword: str) -> str:
        return self._value(keyword).decode("ascii", "replace").strip(" \0")

    def text(self, keyword: str) -> str:
        return decode_text(self._value(keyword), self._encoding).strip(" \0")

    def uid(self, keyword: str) -> str:
        uid = self.plain(keyword)
        if not is_valid_uid(uid):
            raise Invalid(f"{keyword} is {'malformed' if uid else 'missing'}", at=keyword)
        return uid

    def names(self, keyword: str) -> tuple[str, ...]:
        """The alphabetic, ideographic and phonetic representation, as far as given (PS3.5 6.2.1)."""
        groups = (group.strip(" ^\0") for group in self.text(keyword).split("=")[:3])
        return tuple(group for group in groups if group)

    def date(self, keyword: str) -> date | None:
        match = _DATE.fullmatch(self.plain(keyword))
        if match is None:
            return None
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            return None

    def integer(self, keyword: str) -> int | None:
        text = self.plain(keyword)
        is_number = re.fullmatch(r"[+-]?\d{1,12}", text, re.ASCII)
        return int(text) if is_number else None

    def _value(self, keyword: str) -> bytes:
        return self._raw.get(_TAGS[keyword], b"")
