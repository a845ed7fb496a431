"""What the output says of itself: that it was de-identified and how, and who wrote the file."""

from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dicom_node.deidentify.table import EDITION
from dicom_node.part10 import IMPLEMENTATION_CLASS_UID

IMPLEMENTATION_VERSION_NAME: Final = "CONSILIUM_0_1"
DEIDENTIFICATION_METHOD: Final = f"PS3.15 {EDITION} Basic Profile, private attributes removed"
_BASIC_PROFILE: Final = ("113100", "DCM", "Basic Application Confidentiality Profile")  # PS3.16 CID 7050


def mark_deidentified(dataset: Dataset) -> None:
    """Set (0012,0062) to (0012,0064) and (0028,0303), whatever stood there before (PS3.15 E.1.1, PS3.3 C.7.1.1)."""
    value, scheme, meaning = _BASIC_PROFILE
    method = Dataset()
    method.CodeValue = value
    method.CodingSchemeDesignator = scheme
    method.CodeMeaning = meaning
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = DEIDENTIFICATION_METHOD
    dataset.DeidentificationMethodCodeSequence = Sequence([method])
    dataset.LongitudinalTemporalInformationModified = "REMOVED"


def file_meta_of(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> FileMetaDataset:
    """File meta information that names our implementation and no application entity (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
