"""What an archive takes associations about: C-ECHO, Study Root C-FIND, and everything that can be stored."""

from pydicom import uid
from pynetdicom import AllStoragePresentationContexts, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at run time
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

# An acceptor takes the first of its own that was proposed: compressed as sent first, the default one last. Each of the
# 170 contexts is copied at every association, so the list is what archives take and no longer.
_TRANSFER_SYNTAXES: list[str | uid.UID] = [
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.RLELossless,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.ImplicitVRLittleEndian,
]
ARCHIVE_CONTEXTS = (
    build_context(Verification),
    build_context(StudyRootQueryRetrieveInformationModelFind),
    *(build_context(each.abstract_syntax or "", _TRANSFER_SYNTAXES) for each in AllStoragePresentationContexts),
)
