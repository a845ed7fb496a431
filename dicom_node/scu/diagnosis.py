"""`consilium endpoint test`, DICOM side: from the name to what the node offers, each failed step with its remedy."""

import socket
import ssl
import time

from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
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

_OFFERS = {
    "C-ECHO": Verification,
    "CT images": CTImageStorage,
    "MR images": MRImageStorage,
    "Encapsulated PDF": EncapsulatedPDFStorage,
    "study query": StudyRootQueryRetrieveInformationModelFind,
}
_SOON_DAYS = 30
_DAY_S = 86_400


def diagnose(
    address: DicomAddress,
    calling_ae_title: str,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    tls: ssl.SSLContext | None = None,
) -> list[Step]:
    """The steps in order, up to the first one without which the next makes no sense. Never raises for what it finds."""
    steps = [_resolve(address)]
    if steps[-1].is_ok:
        steps.append(_connect(address, timeouts))
    if steps[-1].is_ok and address.is_tls:
        steps.append(_inspect_certificate(address, timeouts, tls))
    if steps[-1].is_ok:
        steps.extend(_associate(address, calling_ae_title, timeouts, tls))
    return steps


def _resolve(address: DicomAddress) -> Step:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as exc:
        remedy = "correct the host name of the endpoint, or add it to the name service"
        return Step("name resolution", False, f"{address.host}: {exc.strerror}", remedy)
    return Step("name resolution", True, ", ".join(sorted({str(entry[4][0]) for entry in found})))


def _connect(address: DicomAddress, timeouts: Timeouts) -> Step:
    where = f"{address.host}:{address.port}"
    try:
        with socket.create_connection((address.host, address.port), timeout=timeouts.connect_s):
            return Step("TCP", True, f"{where} accepts connections")
    except TimeoutError:
        return Step("TCP", False, f"{where} does not answer", "a firewall drops the packets, or the host is down")
    except OSError as exc:
        remedy = "start the node, or correct the port of the endpoint"
        return Step("TCP", False, f"{where}: {exc.strerror}", remedy)


def _inspect_certificate(address: DicomAddress, timeouts: Timeouts, tls: ssl.SSLContext | None) -> Step:
    context = tls or ssl.create_default_context()
    try:
        with (
            socket.create_connection((address.host, address.port), timeout=timeouts.connect_s) as plain,
            context.wrap_socket(plain, server_hostname=address.host) as secured,
        ):
            certificate = secured.getpeercert() or {}
            version = secured.version() or "TLS"
    except ssl.SSLCertVerificationError as exc:
        remedy = "have the certificate renewed for this host name, or give its issuer as certificate authority"
        return Step("TLS certificate", False, exc.verify_message, remedy)
    except OSError as exc:
        remedy = "the port may not speak TLS, or asks for a client certificate we were not given"
        return Step("TLS certificate", False, exc.strerror or type(exc).__name__, remedy)
    not_after = str(certificate.get("notAfter", ""))
    if not not_after:
        return Step("TLS certificate", True, f"{version}, certificate not checked")
    days = int((ssl.cert_time_to_seconds(not_after) - time.time()) // _DAY_S)
    hint = " - have it renewed soon" if days < _SOON_DAYS else ""
    return Step("TLS certificate", True, f"{version}, expires {not_after} (in {days} days){hint}")


def _associate(
    address: DicomAddress, calling_ae_title: str, timeouts: Timeouts, tls: ssl.SSLContext | None
) -> list[Step]:
    contexts = [build_context(uid, list(UNCOMPRESSED)) for uid in _OFFERS.values()]
    try:
        with associated(address, calling_ae_title, contexts, timeouts, tls) as peer:
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
