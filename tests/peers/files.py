"""Real DICOM files that come with pydicom and pydicom-data; nothing is fetched over the network."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydicom import uid
from pydicom.data import get_charset_files, get_testdata_file

from tests.peers.processes import PeerFailure


class Kind(StrEnum):
    """Why a file is in the list."""

    PLAIN = "plain"
    COMPRESSED = "compressed"
    MULTI_FRAME = "multi-frame"
    BIG_ENDIAN = "big-endian"
    DEFLATED = "deflated"
    CHARACTER_SET = "character-set"
    NOT_AN_IMAGE = "not-an-image"
    BROKEN = "broken"


@dataclass(frozen=True)
class RealFile:
    """One file, what it stands for and the transfer syntax that its meta information names ('' where it has none)."""

    name: str
    kind: Kind
    modality: str
    transfer_syntax_uid: str

    @property
    def path(self) -> Path:
        return local_path(self.name)


_LITTLE = uid.ExplicitVRLittleEndian
_BIG = uid.ExplicitVRBigEndian

REAL_FILES = (
    RealFile("CT_small.dcm", Kind.PLAIN, "CT", _LITTLE),
    RealFile("MR_small.dcm", Kind.PLAIN, "MR", _LITTLE),
    RealFile("MR_small_implicit.dcm", Kind.PLAIN, "MR", uid.ImplicitVRLittleEndian),
    RealFile("gdcm-US-ALOKA-16.dcm", Kind.PLAIN, "US", uid.ImplicitVRLittleEndian),
    RealFile("examples_palette.dcm", Kind.PLAIN, "US", _LITTLE),
    RealFile("MR-SIEMENS-DICOM-WithOverlays.dcm", Kind.PLAIN, "MR", _LITTLE),
    RealFile("SC_rgb_jpeg_dcmtk.dcm", Kind.COMPRESSED, "OT", uid.JPEGBaseline8Bit),
    RealFile("JPGExtended.dcm", Kind.COMPRESSED, "NM", uid.JPEGExtended12Bit),
    RealFile("JPGLosslessP14SV1_1s_1f_8b.dcm", Kind.COMPRESSED, "US", uid.JPEGLosslessSV1),
    RealFile("MR_small_jpeg_ls_lossless.dcm", Kind.COMPRESSED, "MR", uid.JPEGLSLossless),
    RealFile("JPEGLSNearLossless_16.dcm", Kind.COMPRESSED, "", uid.JPEGLSNearLossless),
    RealFile("693_J2KR.dcm", Kind.COMPRESSED, "CT", uid.JPEG2000Lossless),
    RealFile("MR2_J2KI.dcm", Kind.COMPRESSED, "MR", uid.JPEG2000),
    RealFile("MR_small_RLE.dcm", Kind.COMPRESSED, "MR", uid.RLELossless),
    RealFile("eCT_Supplemental.dcm", Kind.MULTI_FRAME, "CT", _LITTLE),
    RealFile("emri_small.dcm", Kind.MULTI_FRAME, "MR", _LITTLE),
    RealFile("emri_small_jpeg_2k_lossless.dcm", Kind.MULTI_FRAME, "MR", uid.JPEG2000Lossless),
    RealFile("OBXXXX1A_rle_2frame.dcm", Kind.MULTI_FRAME, "US", uid.RLELossless),
    RealFile("examples_ybr_color.dcm", Kind.MULTI_FRAME, "US", uid.JPEGBaseline8Bit),
    RealFile("rtdose.dcm", Kind.MULTI_FRAME, "RTDOSE", uid.ImplicitVRLittleEndian),
    RealFile("ExplVR_BigEnd.dcm", Kind.BIG_ENDIAN, "US", _BIG),
    RealFile("MR_small_expb.dcm", Kind.BIG_ENDIAN, "MR", _BIG),
    RealFile("emri_small_big_endian.dcm", Kind.BIG_ENDIAN, "MR", _BIG),
    RealFile("image_dfl.dcm", Kind.DEFLATED, "OT", uid.DeflatedExplicitVRLittleEndian),
    RealFile("chrArab.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrFren.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrGerm.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrGreek.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrH31.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrH32.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrHbrw.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrI2.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrRuss.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrX1.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("chrX2.dcm", Kind.CHARACTER_SET, "OT", _LITTLE),
    RealFile("J2K_pixelrep_mismatch.dcm", Kind.CHARACTER_SET, "CT", uid.JPEG2000Lossless),
    RealFile("reportsi.dcm", Kind.NOT_AN_IMAGE, "SR", _LITTLE),
    RealFile("rtplan.dcm", Kind.NOT_AN_IMAGE, "RTPLAN", uid.ImplicitVRLittleEndian),
    RealFile("waveform_ecg.dcm", Kind.NOT_AN_IMAGE, "ECG", _LITTLE),
    RealFile("MR_truncated.dcm", Kind.BROKEN, "MR", _LITTLE),
    RealFile("no_meta.dcm", Kind.BROKEN, "", ""),
    RealFile("OT-PAL-8-face.dcm", Kind.BROKEN, "OT", ""),
)
"""Several share a SOP Instance UID: the MR_small and emri_small families are one object in several encodings."""


def real_files(*kinds: Kind) -> tuple[RealFile, ...]:
    """The files of these kinds; of all but the broken ones when none is named."""
    wanted = kinds or tuple(each for each in Kind if each is not Kind.BROKEN)
    return tuple(each for each in REAL_FILES if each.kind in wanted)


def local_path(name: str) -> Path:
    """Where a file of pydicom or pydicom-data lies. Raises PeerFailure when the installed packages lack it."""
    found = get_testdata_file(name, download=False)
    if found is not None:
        return Path(str(found))
    for path in get_charset_files(name):
        return Path(path)
    raise PeerFailure(f"{name} is neither in the installed pydicom nor in pydicom-data")
