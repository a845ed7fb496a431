"""One connection from its first byte to its last: handshake, association, messages, release (PS3.8 9.2, acceptor).

The upper layer runs in the connection's own thread and blocks on its socket, with a deadline for every wait. PDUs of
association control and the negotiation are pynetdicom's; its reactors are not used, since an acceptor that serves one
message at a time needs no queues between threads, and they are what makes receiving slow.
"""

import secrets
import socket
import ssl
import time
from collections.abc import Callable
from typing import Protocol

import structlog
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext

from dicom_node.scp import negotiation
from dicom_node.scp.command import Command, encode_response
from dicom_node.scp.dialogue import Answer, Dialogue
from dicom_node.scp.metrics import NodeMetrics
from dicom_node.scp.negotiation import AcceptedContext, Rejection
from dicom_node.scp.pdu import (
    ABORT,
    ASSOCIATE_RQ,
    NO_REASON,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    UNEXPECTED_PDU,
    ConnectionEnded,
    PduStream,
    ProtocolViolation,
    abort_pdu,
    data_pdus,
    data_values,
)
from dicom_node.scp.refusals import Refusals
from dicom_node.scp.settings import CallerFinder, NodeSettings, Receiver, Refusal
from dicom_node.scp.spool import SpoolFolder
from dicom_node.scp.storing import Peer, Storing
from gateway.domain import hooks, trace
from gateway.domain.party import Endpoint

_NO_TLS = "tls-handshake"
log = structlog.get_logger(__name__)


class Admission(Protocol):
    """Counts who is inside; shared by all connections of a node."""

    def enter(self, calling_ae_title: str) -> bool:
        """Count in; False where there is no place."""

    def leave(self, calling_ae_title: str) -> None:
        """Count out."""


class AssociationServer:
    """Serves connections with one set of rules; `serve` is called in a thread per connection."""

    def __init__(
        self,
        settings: NodeSettings,
        spool: SpoolFolder,
        admission: Admission,
        find_caller: CallerFinder,
        receive: Receiver,
        is_stopping: Callable[[], bool],
        metrics: NodeMetrics,
        refusals: Refusals,
    ) -> None:
        self._settings = settings
        self._is_stopping = is_stopping
        self._spool = spool
        self._admission = admission
        self._find_caller = find_caller
        self._receive = receive
        self._metrics = metrics
        self._refusals = refusals
        self._supported = negotiation.supported_sop_classes(settings.extra_sop_classes)

    def serve(self, connection: socket.socket, host: str) -> None:
        """Everything that happens on one connection; what a peer does never raises. The caller closes the socket."""
        association_id = secrets.token_hex(8)
        with trace.within(), trace.span("dicom.association", association=association_id):
            self._serve_connection(connection, host, association_id)

    def _serve_connection(self, connection: socket.socket, host: str, association_id: str) -> None:
        try:
            self._shake_hands(connection, host)
            self._serve_stream(PduStream(connection), host, association_id)
            self._await_close(connection)
        except ConnectionEnded as exc:
            log.info("connection_ended", association=association_id, host=host, reason=str(exc))

    def _shake_hands(self, connection: socket.socket, host: str) -> None:
        """The TLS handshake with its deadline, where the connection is one of TLS.

        Who only hangs up, as whoever looks whether the port is open, was not refused anything.
        """
        if not isinstance(connection, ssl.SSLSocket):
            return
        try:
            connection.settimeout(self._settings.association_timeout_s)
            connection.do_handshake()
        except OSError as exc:
            if isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                self._refusals.add(Refusal(_NO_TLS, host))
            raise ConnectionEnded("no TLS handshake") from exc

    def _serve_stream(self, stream: PduStream, host: str, association_id: str) -> None:
        try:
            self._associate(stream, host, association_id)
        except ProtocolViolation as exc:
            log.warning("association_aborted", association=association_id, host=host, reason=str(exc))
            stream.send(abort_pdu(exc.reason), self._settings.association_timeout_s)

    def _associate(self, stream: PduStream, host: str, association_id: str) -> None:
        timeout_s = self._settings.association_timeout_s
        kind, body = stream.read(idle_timeout_s=timeout_s, pdu_timeout_s=timeout_s)
        if kind != ASSOCIATE_RQ:
            raise ProtocolViolation("association request expected", UNEXPECTED_PDU)
        request, is_our_protocol = negotiation.parse_request(body)
        calling = request.calling_ae_title or ""
        caller = self._recognise(request, is_our_protocol=is_our_protocol)
        if isinstance(caller, Endpoint) and not self._admission.enter(calling):
            caller = negotiation.LIMIT_REACHED
        if isinstance(caller, Rejection):
            log.warning("association_rejected", association=association_id, calling=calling, reason=caller.reason)
            self._metrics.rejected(caller.reason)
            self._refusals.add(Refusal(caller.code, host, calling))
            stream.send(negotiation.reject_pdu(caller), timeout_s)
            return
        peer = Peer(calling, request.called_ae_title or "", host, association_id, caller)
        try:
            with self._metrics.association():
                self._serve_peer(stream, request, peer)
        finally:
            self._admission.leave(calling)

    def _recognise(self, request: A_ASSOCIATE, *, is_our_protocol: bool) -> Endpoint | Rejection:
        """Who calls, or why there is no association with it. Where the finder fails, nobody is let in."""
        if not is_our_protocol:
            return negotiation.UNSUPPORTED_PROTOCOL
        if request.application_context_name != negotiation.APPLICATION_CONTEXT:
            return negotiation.UNSUPPORTED_APPLICATION_CONTEXT
        if (request.called_ae_title or "").strip() != self._settings.ae_title:
            return negotiation.WRONG_CALLED
        try:
            return self._find_caller(request.calling_ae_title or "") or negotiation.UNKNOWN_CALLER
        except Exception as exc:  # noqa: BLE001 - a process edge
            log.error("caller_finder_failed", error=type(exc).__name__)
            return negotiation.CONGESTION

    def _serve_peer(self, stream: PduStream, request: A_ASSOCIATE, peer: Peer) -> None:
        contexts: list[PresentationContext] = negotiation.negotiate(request, self._supported)
        stream.send(
            negotiation.accept_pdu(request, contexts, self._settings.max_pdu_bytes), self._settings.pdu_timeout_s
        )
        log.info("association_accepted", association=peer.association_id, calling=peer.calling_ae_title)

        def begin_store(command: Command, context: AcceptedContext) -> Storing:
            return Storing(command, context, peer, self._spool, self._receive, self._metrics)

        dialogue = Dialogue(negotiation.accepted(contexts), begin_store)
        try:
            self._converse(stream, dialogue, request.maximum_length_received or 0)
        finally:
            dialogue.discard()
            ids = {"association": peer.association_id, "calling": peer.calling_ae_title}
            log.info("association_ended", **ids, stored=dialogue.stored)

    def _converse(self, stream: PduStream, dialogue: Dialogue, max_pdu_bytes: int) -> None:
        """Messages until the peer releases or aborts (PS3.8 9.2, Sta6)."""
        settings = self._settings
        while not self._is_stopping():
            kind, body = stream.read(idle_timeout_s=settings.idle_timeout_s, pdu_timeout_s=settings.pdu_timeout_s)
            match kind:
                case _ if kind == P_DATA:
                    for context_id, control, fragment in data_values(body):
                        answer = dialogue.feed(context_id, control, fragment)
                        if answer is not None:
                            self._send(stream, answer, max_pdu_bytes)
                case _ if kind == RELEASE_RQ:
                    stream.send(RELEASE_RP, settings.pdu_timeout_s)
                    return
                case _ if kind == ABORT:
                    raise ConnectionEnded("aborted by the peer")
                case _:
                    raise ProtocolViolation("PDU out of place", UNEXPECTED_PDU)
        raise ProtocolViolation("the node stops", NO_REASON)

    def _send(self, stream: PduStream, answer: Answer, max_pdu_bytes: int) -> None:
        if answer.is_promise:
            hooks.reach("dicom.before_ack")
        response = encode_response(answer.request, answer.outcome.status, answer.outcome.comment)
        stream.send(data_pdus(answer.context_id, response, max_pdu_bytes), self._settings.pdu_timeout_s)
        if answer.is_promise:
            hooks.reach("dicom.after_ack")

    def _await_close(self, connection: socket.socket) -> None:
        """Let the peer close first, so that our last PDU is not lost in a reset (PS3.8 9.2, Sta13 and its timer)."""
        deadline = time.monotonic() + self._settings.association_timeout_s
        try:
            while (remaining := deadline - time.monotonic()) > 0:
                connection.settimeout(remaining)
                if not connection.recv(4096):
                    return
        except OSError:
            return
