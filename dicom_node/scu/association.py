"""An association we request, and what it means when there is none (PS3.8 7.1, 9.3.4)."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import DimseServiceType
from pynetdicom.events import Event
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicom_node.part10 import IMPLEMENTATION_CLASS_UID
from gateway.domain.errors import GatewayError, Permanent, Unreachable
from gateway.domain.party import DicomAddress
from gateway.reachability import tls_context

_config.LOG_REQUEST_IDENTIFIERS = False  # identifiers hold patient data
_config.LOG_RESPONSE_IDENTIFIERS = False
_config.LOG_HANDLER_LEVEL = "none"
_config.STORE_SEND_CHUNKED_DATASET = True  # a file is sent as its bytes are, never decoded

MAX_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for the connection, for the answer to an association request, and for each response."""

    connect_s: float = 10.0
    association_s: float = 30.0
    response_s: float = 60.0


class UnknownCaller(Permanent):
    """The node does not know our AE title."""


_UNKNOWN_CALLER = (1, 3)
_REMEDIES = {  # (source, diagnostic) of an A-ASSOCIATE-RJ, PS3.8 Table 9-21
    (1, 1): "it gave no reason; ask its administrator for the log of this minute",
    (1, 2): "it does not speak the DICOM application context; check that the port is that of a DICOM node",
    (1, 3): "it does not know our AE title; its administrator has to register '{calling}' with this host's address",
    (1, 7): "it does not answer to the AE title '{called}'; correct the AE title of the endpoint",
    (2, 1): "it gave no reason; ask its administrator for the log of this minute",
    (2, 2): "it speaks another version of the protocol",
    (3, 1): "it is congested; try again later",
    (3, 2): "it has as many associations as it allows; try again later or have the limit raised",
}


@contextmanager
def associated(
    address: DicomAddress,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    timeouts: Timeouts,
) -> Iterator[Association]:
    """An established association, released at the end, aborted when the block raises.

    Raises Unreachable (also where it is busy) or Permanent (rejected for good, nothing accepted, CA file unusable),
    with the remedy in the sentence.
    """
    rejections: list[A_ASSOCIATE] = []
    association = _request(address, calling_ae_title, contexts, timeouts, rejections)
    if not association.is_established:
        _close(association)
        answer = next(iter(rejections), association.acceptor.primitive)
        raise _explain(answer, address, calling_ae_title)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    else:
        association.release()


def _request(
    address: DicomAddress,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    timeouts: Timeouts,
    rejections: list[A_ASSOCIATE],
) -> Association:
    entity = _Entity(ae_title=calling_ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.connection_timeout = timeouts.connect_s
    entity.acse_timeout = timeouts.association_s
    entity.dimse_timeout = timeouts.response_s
    entity.network_timeout = max(timeouts.response_s, timeouts.association_s)
    try:
        return entity.associate(
            address.host,
            address.port,
            contexts=list(contexts),
            ae_title=address.ae_title,
            max_pdu=1 << 17,
            tls_args=(tls_context(address.ca_file), address.host) if address.is_tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay), (evt.EVT_PDU_RECV, _keep_rejection, [rejections])],
        )
    except OSError as exc:  # socket.gaierror
        raise Unreachable(f"the host name {address.host} cannot be resolved; correct it or the name service") from exc


class _Transport(AssociationSocket):
    """Closes its socket also where it never was connected, which pynetdicom 3.0.4 leaves to the garbage collector."""

    def _shutdown_socket(self) -> None:
        held = self.socket
        super()._shutdown_socket()
        if held is not None:
            held.close()


class _Answers(DIMSEServiceProvider):
    """Gives messages to whoever asked for them, never to the association's own thread.

    That thread serves requests of the peer, of which a requestor without roles gets none. pynetdicom 3.0.4 means to
    pause it while an answer is awaited, but may take it for paused when it is not; it then swallows the answer.
    """

    def get_msg(self, block: bool = False) -> tuple[None, None] | tuple[int, DimseServiceType]:
        if threading.current_thread() is self.assoc:
            return None, None
        return super().get_msg(block)


class _Entity(AE):
    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> AssociationSocket:
        assoc.dimse = _Answers(assoc)  # here, because nothing has been said on the association yet
        transport = _Transport(assoc, address=address)
        transport.tls_args = tls_args
        return transport


def _close(association: Association) -> None:
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.close()


def _without_delay(event: Event) -> None:
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _keep_rejection(event: Event, rejections: list[A_ASSOCIATE]) -> None:
    """Pynetdicom 3.0.4 takes a peer that rejects and closes at once for one that was never reached."""
    if isinstance(event.pdu, A_ASSOCIATE_RJ):
        rejections.append(event.pdu.to_primitive())


def _explain(answer: A_ASSOCIATE | None, address: DicomAddress, calling_ae_title: str) -> GatewayError:
    where = f"{address.ae_title} at {address.host}:{address.port}"
    if answer is not None and answer.result:
        fallback = "it gave a reason that the standard does not know"
        because = (answer.result_source or 0, answer.diagnostic or 0)
        sentence = _REMEDIES.get(because, fallback).format(calling=calling_ae_title, called=address.ae_title)
        refused = UnknownCaller if because == _UNKNOWN_CALLER else Permanent
        error = refused if answer.result == 1 else Unreachable
        return error(f"{where} rejected the association: {sentence}")
    if answer is not None:
        return Permanent(f"{where} accepted the association and none of what was offered to it")
    if address.is_tls:
        return Unreachable(f"{where} cannot be reached over TLS; testing its endpoint tells whether by its certificate")
    return Unreachable(f"{where} cannot be reached; check host, port and firewall, and that the node is running")
