"""De-identification of DICOM objects: data set and pseudonyms in, clean data set or findings out. No I/O, no clock."""

from dicom_node.deidentify.outcome import Finding, Outcome
from dicom_node.deidentify.profile import deidentify
from dicom_node.deidentify.pseudonyms import Pseudonyms

__all__ = [
    "Finding",
    "Outcome",
    "Pseudonyms",
    "deidentify",
]
