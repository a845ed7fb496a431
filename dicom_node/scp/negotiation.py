"""Which associations are accepted, and what they may carry (PS3.8 7.1, PS3.7 Annex D)."""

from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import (
    AllStoragePresentationContexts,
    PresentationContext,
)
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # pynetdicom makes the names at import

from dicom_node.part10 import IMPLEMENTATION_CLASS_UID
from dicom_node.scp.pdu import ProtocolViolation

_ACCEPTED, _ABSTRACT_SYNTAX_NOT_SUPPORTED, _TRANSFER_SYNTAXES_NOT_SUPPORTED = 0, 3, 4  # PS3.8 Table 9-18
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1

_UNCOMPRESSED = (
    "1.2.840.10008.1.2",  # implicit VR little endian
    "1.2.840.10008.1.2.1",  # explicit VR little endian
    "1.2.840.10008.1.2.2",  # explicit VR big endian (retired)
)
_LOSSLESS = (
    "1.2.840.10008.1.2.1.99",  # deflated explicit VR little endian
    "1.2.840.10008.1.2.4.57",  # JPEG
    "1.2.840.10008.1.2.4.70",  # JPEG, selection value 1
    "1.2.840.10008.1.2.4.80",  # JPEG-LS
    "1.2.840.10008.1.2.4.90",  # JPEG 2000
    "1.2.840.10008.1.2.4.92",  # JPEG 2000 multi-component
    "1.2.840.10008.1.2.4.110",  # JPEG XL
    "1.2.840.10008.1.2.4.111",  # JPEG XL recompression of JPEG
    "1.2.840.10008.1.2.4.201",  # HTJ2K
    "1.2.840.10008.1.2.4.202",  # HTJ2K RPCL
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.8.1",  # deflated image frame
)
_LOSSY = (
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.93",  # JPEG 2000 multi-component
    "1.2.840.10008.1.2.4.112",  # JPEG XL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    *(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109)),  # MPEG-2, MPEG-4, HEVC video
    *(f"1.2.840.10008.1.2.4.{number}.1" for number in range(100, 107)),  # the same, fragmentable
)
RANKS = {uid: rank for rank, group in enumerate((_UNCOMPRESSED, _LOSSLESS, _LOSSY)) for uid in group}
"""Every transfer syntax of PS3.6 A-1 but JPIP and SMPTE ST 2110, whose pixels are somewhere else and never reach us.

Where one context offers several, the lowest rank wins: no sender shall compress for us. Among equals its own order.
"""


@dataclass(frozen=True)
class AcceptedContext:
    """What one presentation context carries."""

    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class Rejection:
    """Result, source and diagnostic of an A-ASSOCIATE-RJ (PS3.8 9.3.4); `code` is the reason as the trail names it."""

    result: int
    source: int
    diagnostic: int
    reason: str
    code: str


UNSUPPORTED_PROTOCOL = Rejection(1, 2, 2, "protocol version not supported", "protocol-version")
UNSUPPORTED_APPLICATION_CONTEXT = Rejection(1, 1, 2, "application context name not supported", "application-context")
UNKNOWN_CALLER = Rejection(1, 1, 3, "calling AE title not recognised", "calling-ae-title")
WRONG_CALLED = Rejection(1, 1, 7, "called AE title not recognised", "called-ae-title")
CONGESTION = Rejection(2, 3, 1, "temporary congestion", "congestion")
LIMIT_REACHED = Rejection(2, 3, 2, "local limit of associations exceeded", "association-limit")
REJECTIONS = (
    UNSUPPORTED_PROTOCOL, UNSUPPORTED_APPLICATION_CONTEXT, UNKNOWN_CALLER, WRONG_CALLED, CONGESTION, LIMIT_REACHED,
)  # fmt: skip
"""Every one there is."""


def supported_sop_classes(extra: tuple[str, ...]) -> frozenset[str]:
    """Verification, every storage SOP class, and the `extra` ones."""
    storage = (str(context.abstract_syntax) for context in AllStoragePresentationContexts)
    return frozenset((*storage, *extra, str(Verification)))


def parse_request(body: memoryview) -> tuple[A_ASSOCIATE, bool]:
    """The A-ASSOCIATE-RQ and whether its protocol version is ours. Raises ProtocolViolation for undecodable bytes."""
    pdu = A_ASSOCIATE_RQ()
    try:
        pdu.decode(b"\x01\x00" + len(body).to_bytes(4, "big") + bytes(body))
        request = pdu.to_primitive()
    except Exception as exc:  # pynetdicom raises whatever its item decoders stumble over
        raise ProtocolViolation("undecodable association request") from exc
    return request, bool(pdu.protocol_version & 1)  # PS3.8 Table 9-11: only bit 0 is tested


def negotiate(request: A_ASSOCIATE, supported: frozenset[str]) -> list[PresentationContext]:
    """Every proposed context with its result (PS3.8 9.3.3.2); we are always the SCP."""
    return [_judge(proposed, supported) for proposed in request.presentation_context_definition_list]


def _judge(proposed: PresentationContext, supported: frozenset[str]) -> PresentationContext:
    offered = [uid for uid in proposed.transfer_syntax if uid in RANKS]
    answer = PresentationContext()
    answer.context_id = proposed.context_id
    answer.abstract_syntax = proposed.abstract_syntax
    answer.transfer_syntax = [min(offered, key=RANKS.__getitem__) if offered else proposed.transfer_syntax[0]]
    if proposed.abstract_syntax not in supported:
        answer.result = _ABSTRACT_SYNTAX_NOT_SUPPORTED
    else:
        answer.result = _ACCEPTED if offered else _TRANSFER_SYNTAXES_NOT_SUPPORTED
    return answer


def accepted(contexts: list[PresentationContext]) -> dict[int, AcceptedContext]:
    """Context ID -> what it carries."""
    return {
        context.context_id or 0: AcceptedContext(str(context.abstract_syntax), str(context.transfer_syntax[0]))
        for context in contexts
        if context.result == _ACCEPTED
    }


def accept_pdu(request: A_ASSOCIATE, contexts: list[PresentationContext], max_pdu_bytes: int) -> bytes:
    """The A-ASSOCIATE-AC (PS3.8 9.3.3) with maximum length and implementation class UID (PS3.7 D.3.3)."""
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT)
    answer.calling_ae_title = request.calling_ae_title
    answer.called_ae_title = request.called_ae_title
    answer.result = 0
    answer.result_source = 1
    answer.presentation_context_definition_results_list = contexts
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu_bytes
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    answer.user_information = [length, implementation]
    return A_ASSOCIATE_AC(answer).encode()


def reject_pdu(rejection: Rejection) -> bytes:
    """The A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    answer = A_ASSOCIATE()
    answer.result = rejection.result
    answer.result_source = rejection.source
    answer.diagnostic = rejection.diagnostic
    return A_ASSOCIATE_RJ(answer).encode()
