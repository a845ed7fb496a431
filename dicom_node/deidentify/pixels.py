"""Whether text may be burned into the pixels: a rule by what the object says of itself, without looking at the pixels.

1. BurnedInAnnotation (0028,0301) other than NO holds; NO passes (a declaration, not a proof).
2. Absent, the object passes only when its SOP class stores what a detector measured or a program computed: CR, DX, MG,
   intra-oral, CT, MR, PET, NM, XA, RF, tomosynthesis, RT image and dose, segmentation, parametric map and waveforms.
   Ultrasound, secondary capture, endoscopy, photography, microscopy, ophthalmology and unknown classes hold.
3. And not when the header betrays a capture all the same: a ConversionType of digitised or screen-made images, an
   ImageType of screens, reports and protocols, colour pixels in a class that measures grey, a derived XA or RF image
   (frames saved with graphics).

Objects without pixels pass. Faces (RecognizableVisualFeatures) are no matter of the Basic Profile.
"""

import re
from typing import Final

from pydicom.dataset import Dataset

from dicom_node.deidentify.outcome import Finding, path_of
from dicom_node.deidentify.values import text_at

PIXEL_TAGS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_BURNED_IN_ANNOTATION: Final = 0x00280301
_SOP_CLASS: Final = 0x00080016
_IMAGE_TYPE: Final = 0x00080008
_CONVERSION_TYPE: Final = 0x00080064
_PHOTOMETRIC_INTERPRETATION: Final = 0x00280004

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_X_RAY: Final = ("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "13.1.3", "13.1.4", "13.1.5", "481.1")
_FLUOROSCOPIC: Final = ("12.1", "12.1.1", "12.2", "12.2.1", "13.1.1", "13.1.2")
_CROSS_SECTION: Final = ("2", "2.1", "2.2", "4", "4.1", "4.4", "20", "128", "128.1", "130")
_COMPUTED: Final = ("4.3", "30", "66.4", "66.7", "481.2")  # colour MR, parametric map, segmentations, dose
_MEASURED_GREY: Final = frozenset(_STORAGE + suffix for suffix in _X_RAY + _FLUOROSCOPIC + _CROSS_SECTION)
_MEASURED_OR_COMPUTED: Final = _MEASURED_GREY | {_STORAGE + suffix for suffix in _COMPUTED}
_FLUOROSCOPY: Final = frozenset(_STORAGE + suffix for suffix in _FLUOROSCOPIC)

_CAPTURE_CONVERSIONS: Final = frozenset({"DV", "DF", "WSD", "SD", "SI", "DRW"})  # PS3.3 C.8.6.1
_CAPTURE_IMAGE_TYPE: Final = re.compile(
    r"SCREEN|CAPTURE|SNAPSHOT|REPORT|PROT\b|PROTOCOL|DOSE[ _]INFO|SUMMARY|GRAPH|CURVE|TEXT|TABLE|PASTED|PHOTO"
)
_GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})


def pixel_findings(dataset: Dataset) -> tuple[Finding, ...]:
    """Why the pixels of an object may show who the patient is; empty when nothing speaks for it."""
    if not any(tag in dataset for tag in PIXEL_TAGS):
        return ()
    declared = text_at(dataset, _BURNED_IN_ANNOTATION)
    if declared == "NO":
        return ()
    if declared:
        return (_finding(_BURNED_IN_ANNOTATION, "the object declares text burned into its pixels"),)
    sop_class = text_at(dataset, _SOP_CLASS)
    if sop_class not in _MEASURED_OR_COMPUTED:
        return (_finding(_SOP_CLASS, "images of this SOP class may show text, and nothing declares that they do not"),)
    return _betrayals(dataset, sop_class)


def _betrayals(dataset: Dataset, sop_class: str) -> tuple[Finding, ...]:
    image_type = text_at(dataset, _IMAGE_TYPE).upper()
    if text_at(dataset, _CONVERSION_TYPE) in _CAPTURE_CONVERSIONS:
        return (_finding(_CONVERSION_TYPE, "the image was digitised or captured from a screen"),)
    if _CAPTURE_IMAGE_TYPE.search(image_type):
        return (_finding(_IMAGE_TYPE, "the image type speaks of a screen, a report or a protocol"),)
    if sop_class in _FLUOROSCOPY and image_type.startswith("DERIVED"):
        return (_finding(_IMAGE_TYPE, "a derived fluoroscopy image may carry graphics"),)
    photometric = text_at(dataset, _PHOTOMETRIC_INTERPRETATION)
    if sop_class in _MEASURED_GREY and photometric not in _GREY:
        return (_finding(_PHOTOMETRIC_INTERPRETATION, "not grey pixels where the device measures grey ones"),)
    return ()


def _finding(tag: int, message: str) -> Finding:
    return Finding("burned-in-text", path_of("", tag), message)
