"""One C-STORE from its command to its status: spool, check, hand over (PS3.4 B)."""

import mmap
import time
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from dicom_node.header import read_header
from dicom_node.part10 import build_file_header
from dicom_node.scp.command import Command
from dicom_node.scp.metrics import NodeMetrics
from dicom_node.scp.negotiation import AcceptedContext
from dicom_node.scp.settings import ReceivedInstance, Receiver
from dicom_node.scp.spool import SpoolFile, SpoolFolder
from dicom_node.status import (
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    UNEXPECTED,
    SopClassMismatch,
    answer_to_store,
)
from gateway.domain import trace
from gateway.domain.errors import GatewayError
from gateway.domain.party import Endpoint
from gateway.domain.study import InstanceHeader

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of one association."""

    calling_ae_title: str
    called_ae_title: str
    host: str
    association_id: str
    caller: Endpoint


@dataclass(frozen=True)
class Outcome:
    """The status to answer with and, for a refusal, why (at most 64 characters of it travel)."""

    status: int
    comment: str = ""


class Storing:
    """Takes the fragments of one data set. Once refused it swallows the rest, and the status waits for the end."""

    def __init__(
        self,
        command: Command,
        context: AcceptedContext,
        peer: Peer,
        spool: SpoolFolder,
        receive: Receiver,
        metrics: NodeMetrics,
    ) -> None:
        self._command = command
        self._context = context
        self._peer = peer
        self._receive = receive
        self._file: SpoolFile | None = None
        self._refusal: Outcome | None = None
        self._metrics = metrics
        self._began_at_s = time.perf_counter()
        self._span = ExitStack()  # the operation ends in a later call, in the same thread
        self._span.enter_context(trace.span("dicom.store", association=peer.association_id))
        if command.sop_class_uid != context.sop_class_uid:
            self._refuse(Outcome(SOP_CLASS_NOT_SUPPORTED, "SOP class is not that of the presentation context"))
            return
        try:
            self._file = spool.create()
            self._file.write(self._file_header())
        except GatewayError as exc:
            self._refuse(Outcome(answer_to_store(exc), str(exc)))

    def write(self, fragment: memoryview) -> None:
        """Append a fragment of the data set."""
        if self._file is None:
            return
        try:
            self._file.write(fragment)
        except GatewayError as exc:
            self._refuse(Outcome(answer_to_store(exc), str(exc)))

    def finish(self) -> Outcome:
        """Check the whole, make it durable, hand it over; SUCCESS only after the receiver has returned."""
        outcome = self._finished()
        self._metrics.answered(outcome.status, time.perf_counter() - self._began_at_s)
        trace.note(status=f"0x{outcome.status:04X}")
        self._span.close()
        return outcome

    def _finished(self) -> Outcome:
        if self._file is None:
            return self._refusal or Outcome(UNEXPECTED)
        try:
            self._hand_over(self._file)
            self._metrics.stored(self._file.size_bytes)
            return Outcome(SUCCESS)
        except GatewayError as exc:
            self._refuse(Outcome(answer_to_store(exc), str(exc)))
        except Exception as exc:  # noqa: BLE001 - a process edge: whatever failed, nothing was stored
            log.error("store_failed", association=self._peer.association_id, error=type(exc).__name__, at=_place(exc))
            self._refuse(Outcome(UNEXPECTED, "unexpected failure, see the gateway's log"))
        finally:
            self._drop_file()
        return self._refusal or Outcome(UNEXPECTED)

    def discard(self) -> None:
        """Leave nothing behind, when the rest of the object will never come."""
        self._drop_file()
        self._span.close()

    def _drop_file(self) -> None:
        """Harmless after the receiver has moved the file away."""
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _hand_over(self, file: SpoolFile) -> None:
        header = self._checked_header(file)
        sha256 = file.settle()
        self._receive(
            ReceivedInstance(
                spool_path=file.path,
                size_bytes=file.size_bytes,
                sha256=sha256,
                header=header,
                calling_ae_title=self._peer.calling_ae_title,
                called_ae_title=self._peer.called_ae_title,
                peer_host=self._peer.host,
                association_id=self._peer.association_id,
                caller=self._peer.caller,
            )
        )

    def _checked_header(self, file: SpoolFile) -> InstanceHeader:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)  # unmapped with its last reference
        data_set = memoryview(mapped)[len(self._file_header()) :]
        header = read_header(data_set, self._context.transfer_syntax_uid)
        if header.sop_class_uid != self._command.sop_class_uid:
            raise SopClassMismatch("the data set is of another SOP class than announced", at="SOPClassUID")
        if header.sop_instance_uid != self._command.sop_instance_uid:
            raise SopClassMismatch("the data set is another instance than announced", at="SOPInstanceUID")
        return header

    def _file_header(self) -> bytes:
        return build_file_header(
            self._command.sop_class_uid, self._command.sop_instance_uid, self._context.transfer_syntax_uid
        )

    def _refuse(self, outcome: Outcome) -> None:
        log.warning(
            "store_refused",
            association=self._peer.association_id,
            status=f"0x{outcome.status:04X}",
            reason=outcome.comment,
        )
        self._refusal = outcome
        self._drop_file()


def _place(error: BaseException) -> str:
    """Module and line an unexpected error came from; its text might hold patient data and is not logged."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}"
