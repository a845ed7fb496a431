"""`consilium endpoint test`, DICOM side: from the name to what the node offers, each failed step with its remedy."""

from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # pynetdicom makes the names at import
    CTImageStorage,
    EncapsulatedPDFStorage,
    MRImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_node.scu.association import Timeouts, associated
from dicom_node.scu.query import UNCOMPRESSED
from gateway.domain.diagnosis import Step
from gateway.domain.errors import GatewayError
from gateway.domain.party import DicomAddress
from gateway.reachability import reach_host

_OFFERS = {
    "C-ECHO": Verification,
    "CT images": CTImageStorage,
    "MR images": MRImageStorage,
    "Encapsulated PDF": EncapsulatedPDFStorage,
    "study query": StudyRootQueryRetrieveInformationModelFind,
}


def diagnose(
    address: DicomAddress,
    calling_ae_title: str,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> list[Step]:
    """The steps in order, up to the first one without which the next makes no sense. Never raises for what it finds."""
    steps = reach_host(
        address.host, address.port, is_tls=address.is_tls, ca_file=address.ca_file, timeout_s=timeouts.connect_s
    )
    if steps[-1].is_ok:
        steps.extend(_associate(address, calling_ae_title, timeouts))
    return steps


def _associate(address: DicomAddress, calling_ae_title: str, timeouts: Timeouts) -> list[Step]:
    contexts = [build_context(uid, list(UNCOMPRESSED)) for uid in _OFFERS.values()]
    try:
        with associated(address, calling_ae_title, contexts, timeouts) as peer:
            accepted = {str(context.abstract_syntax) for context in peer.accepted_contexts}
            steps = [Step("association", True, f"{address.ae_title} accepted '{calling_ae_title}'")]
            if str(Verification) in accepted:
                steps.append(_echo_step(peer.send_c_echo().get("Status")))
            else:
                steps.append(Step("C-ECHO", False, "not offered", "ask for the verification service to be enabled"))
    except GatewayError as exc:
        sentence, _, remedy = str(exc).partition(": ")
        return [Step("association", False, sentence, remedy or "see the detail")]
    offers = [name for name, uid in _OFFERS.items() if str(uid) in accepted]
    lacks = [name for name, uid in _OFFERS.items() if str(uid) not in accepted]
    detail = f"accepts {', '.join(offers)}" + (f"; not {', '.join(lacks)}" if lacks else "")
    return [*steps, Step("services", True, detail)]


def _echo_step(status: int | None) -> Step:
    if status == 0:
        return Step("C-ECHO", True, "success")
    detail = "no answer" if status is None else f"status 0x{status:04X}"
    return Step("C-ECHO", False, detail, "the node is not ready to work; ask its administrator for its log")
