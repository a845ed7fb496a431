"""De-identification of one object by the Basic Application Level Confidentiality Profile (PS3.15 Annex E)."""

from collections.abc import Iterable

from pydicom.dataset import Dataset, FileDataset

from dicom_node.deidentify.dummies import DUMMY_DATE, DUMMY_TEXT
from dicom_node.deidentify.engine import Treatment
from dicom_node.deidentify.identifiers import Identifier, Kind, fold_text
from dicom_node.deidentify.marks import (
    DEIDENTIFICATION_METHOD,
    IMPLEMENTATION_VERSION_NAME,
    file_meta_of,
    mark_deidentified,
)
from dicom_node.deidentify.outcome import Finding, Outcome
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.refusals import SOP_CLASS, SOP_INSTANCE, refusals, transfer_syntax_of
from dicom_node.deidentify.residual import Probes, residual_findings
from dicom_node.deidentify.values import DEFAULT_CHARACTER_SET, PARSE_ERRORS, text_at
from dicom_node.part10 import IMPLEMENTATION_CLASS_UID

_PREAMBLE = bytes(128)
_MANUFACTURER = 0x00080070


def deidentify(original: Dataset, pseudonyms: Pseudonyms) -> Outcome:
    """A clean copy of `original` under its pseudonyms, or every reason why there is none.

    `original` carries its `file_meta` and stays unchanged; large values are shared, not copied. Same input, same
    output. The transfer syntax and the pixel data stay as they are, byte for byte; dates and private attributes go;
    compound actions are resolved without IOD tables, see `actions`. What the output does not promise: that no text is
    in pixels which the header does not betray (see `pixels`), or that a face cannot be recognised.
    """
    treatment = Treatment(pseudonyms)
    held = [*refusals(original)]
    treated = treatment.dataset(original, "", DEFAULT_CHARACTER_SET, depth=0)
    held += treatment.findings
    if held:
        return _held(held)
    _set_identity(treated, pseudonyms)
    mark_deidentified(treated)
    _set_file_format(treated, transfer_syntax_of(original))
    found = _residual(treated, treatment, pseudonyms)
    return _held(found) if found else Outcome(treated, ())


def _held(findings: Iterable[Finding]) -> Outcome:
    return Outcome(None, tuple(dict.fromkeys(findings)))


def _set_identity(dataset: Dataset, pseudonyms: Pseudonyms) -> None:
    dataset.PatientID = pseudonyms.patient
    dataset.PatientName = pseudonyms.patient
    dataset.IssuerOfPatientID = pseudonyms.issuer
    dataset.AccessionNumber = pseudonyms.accession_number
    dataset.StudyID = pseudonyms.study_id


def _set_file_format(dataset: Dataset, transfer_syntax: str) -> None:
    dataset.file_meta = file_meta_of(text_at(dataset, SOP_CLASS), text_at(dataset, SOP_INSTANCE), transfer_syntax)
    if isinstance(dataset, FileDataset):
        dataset.preamble = _PREAMBLE


def _residual(dataset: Dataset, treatment: Treatment, pseudonyms: Pseudonyms) -> tuple[Finding, ...]:
    known = {Identifier(Kind.KNOWN, text) for text in pseudonyms.known_identifiers}
    manufacturer = frozenset(fold_text(text_at(dataset, _MANUFACTURER)).split())
    noted = {one for one in treatment.identifiers if not _is_manufacturer(one, manufacturer)}
    own = {
        pseudonyms.patient,
        pseudonyms.issuer,
        pseudonyms.accession_number,
        pseudonyms.study_id,
        DUMMY_TEXT,
        DUMMY_DATE,
        DEIDENTIFICATION_METHOD,
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
        *treatment.mapped_uids.values(),
    }
    probes = Probes(noted | known, treatment.mapped_uids, own)
    try:
        return residual_findings(dataset, probes)
    except PARSE_ERRORS:
        return (Finding("unreadable", "", "the result cannot be read back"),)


def _is_manufacturer(identifier: Identifier, manufacturer: frozenset[str]) -> bool:
    # Devices that nobody configured name their maker as the institution.
    return identifier.kind is Kind.INSTITUTION and manufacturer.issuperset(fold_text(identifier.text).split())
