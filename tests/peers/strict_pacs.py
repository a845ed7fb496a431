"""A PACS that checks what it is sent, and can be told to behave as badly as real ones do.

Status codes: PS3.4 table B.2-1 (storage) and C.4.1.1.4 (query), PS3.7 9.1.1.1.9 and annex C (general).
"""

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from io import BytesIO
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

from pydicom import Dataset, FileDataset, dcmread, uid
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag, Tag
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import ThreadedAssociationServer

from gateway.domain.party import DicomAddress
from tests.peers import strict_pacs_query as query
from tests.peers.processes import LOOPBACK
from tests.peers.registered_study import PATIENT_FIELDS, STUDY_FIELDS, RegisteredStudy
from tests.peers.strict_pacs_contexts import ARCHIVE_CONTEXTS

SUCCESS = 0x0000
DUPLICATE_SOP_INSTANCE = 0x0111
SOP_CLASS_NOT_SUPPORTED = 0x0122
OUT_OF_RESOURCES = 0xA700
DATA_SET_MISMATCH = 0xA900
"""PS3.4 means by it "does not match the SOP class"; archives answer it to a patient who is not the study's."""
COERCED = 0xB000
CANNOT_UNDERSTAND = 0xC000
_STOP_POLL_S = 0.05
_PENDING = 0xFF00
_PENDING_WITHOUT_SOME_KEYS = 0xFF01
_TEMPORARY_CONGESTION = (0x02, 0x03, 0x01)  # rejected-transient, presentation service provider (PS3.8 9.3.4)

COERCED_SERIES_DESCRIPTION = "COERCED BY THE ARCHIVE"


class _Server(ThreadedAssociationServer):
    def service_actions(self) -> None:
        """Nothing: pynetdicom's collects the garbage of the whole process at every sixtieth look at `shutdown`."""


class StrictPacs:
    """Listens on a free port, in threads of this process; keeps everything in memory.

    The options may be changed between two associations (`refuse_pdf_context`, `unavailable`) or two requests (the
    others).

    Args:
        refuse_pdf: no presentation context for Encapsulated PDF is accepted; with `pdf_status` the context is
            accepted and the object answered with that status (0x0122, or 0xA800 as older archives do).
        coerce: a SeriesDescription is stored that was not sent, and 0xB000 says so (PS3.4 B.2.3).
        answer_after_s: the object is stored at once and the answer held back so long.
        unavailable: associations are rejected for the moment (transient, temporary congestion).
        known_callers: calling AE titles that are let in; empty lets everybody in.
        query_character_set: Specific Character Set of the C-FIND answers.
        contexts: what an association may be about; few of them make it begin sooner.
    """

    def __init__(
        self,
        ae_title: str = "STRICTPACS",
        *,
        refuse_pdf: bool = False,
        pdf_status: int | None = None,
        coerce: bool = False,
        answer_after_s: float = 0,
        unavailable: bool = False,
        known_callers: Sequence[str] = (),
        query_character_set: str = "ISO_IR 192",
        contexts: Sequence[PresentationContext] = ARCHIVE_CONTEXTS,
    ) -> None:
        self.ae_title = ae_title
        self.refuse_pdf = refuse_pdf
        self.pdf_status = pdf_status
        self.coerce = coerce
        self.answer_after_s = answer_after_s
        self.unavailable = unavailable
        self.known_callers = tuple(known_callers)
        self.query_character_set = query_character_set
        self._contexts = list(contexts)
        self.index_is_late = False
        """While it is, no query shows what is stored."""
        self.received: list[Dataset] = []
        """Every data set that came with a C-STORE, the refused ones too."""
        self.statuses: list[int] = []
        """What each of `received` was answered."""
        self.received_at: list[float] = []
        """When each of them had come, in seconds since the epoch."""
        self.queries: list[Dataset] = []
        """Every C-FIND identifier."""
        self.asked_at: list[float] = []
        """When each of them came."""
        self._stored: dict[str, Dataset] = {}
        self._studies: dict[str, RegisteredStudy] = {}
        self._scripted: deque[int] = deque()
        self._connections: list[tuple[threading.Thread, socket.socket]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._entity: AE | None = None
        self._server: ThreadedAssociationServer | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def address(self) -> DicomAddress:
        return DicomAddress(self.ae_title, LOOPBACK, self._port)

    @property
    def stored(self) -> list[Dataset]:
        """What the archive holds, as it holds it."""
        with self._lock:
            return list(self._stored.values())

    def register(self, study: RegisteredStudy) -> None:
        """Make a study known, or change what is known of it (a merged patient, a corrected name)."""
        with self._lock:
            self._studies[study.study_instance_uid] = study

    def script(self, *statuses: int) -> None:
        """Answer the next C-STORE requests with these statuses (SUCCESS: they are lost), storing nothing."""
        with self._lock:
            self._scripted.extend(statuses)

    def forget_script(self) -> None:
        """Behave again from now on."""
        with self._lock:
            self._scripted.clear()

    def forget(self) -> None:
        """Hold nothing, and let nothing have come; what is registered stays."""
        with self._lock:
            self._stored.clear()
            for told in (self.received, self.statuses, self.received_at, self.queries, self.asked_at):
                told.clear()

    def start(self) -> Self:
        """Listen; after a `stop` on the same port and with the same content."""
        self._stopping.clear()
        entity = AE(self.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self.known_callers)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._remember),
            (evt.EVT_REQUESTED, self._negotiate),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
        ]
        server = entity.make_server(
            (LOOPBACK, self._port), contexts=self._contexts, evt_handlers=handlers, server_class=_Server
        )
        self._port = server.server_address[1]
        self._thread = threading.Thread(
            target=server.serve_forever, args=(_STOP_POLL_S,), name=self.ae_title, daemon=True
        )
        self._thread.start()
        self._entity, self._server = entity, server
        return self

    def stop(self) -> None:
        """Stop listening and abort what is under way; answers held back are given up."""
        self._stopping.set()
        if self._entity is None or self._server is None or self._thread is None:
            return
        for association in self._entity.active_associations:
            if association.is_established:  # a rejected one is already waiting for the other side to hang up
                association.abort()
        TCPServer.shutdown(self._server)  # the server's own one wants to have been started by AE.start_server
        self._server.server_close()
        self._thread.join()
        self._entity = self._server = self._thread = None
        while self._connections:
            self._connections.pop()[1].close()

    def _remember(self, event: Event) -> None:
        """Close what is over: pynetdicom leaves a connection that its other side has reset to the garbage collector."""
        opened = event.assoc.dul.socket
        with self._lock:
            over = [one for one in self._connections if one[0].ident is not None and not one[0].is_alive()]
            for one in over:
                self._connections.remove(one)
                one[1].close()
            if opened is not None and opened.socket is not None:
                self._connections.append((event.assoc, opened.socket))

    def _negotiate(self, event: Event) -> None:
        if self.unavailable:
            event.assoc.acse.send_reject(*_TEMPORARY_CONGESTION)
            event.assoc.kill()
        elif self.refuse_pdf and self.pdf_status is None:
            acceptor = event.assoc.acceptor
            acceptor.supported_contexts = [
                each for each in acceptor.supported_contexts if each.abstract_syntax != uid.EncapsulatedPDFStorage
            ]

    def _store(self, event: Event) -> int | Dataset:
        part10 = event.encoded_dataset()
        received: Dataset = Dataset()
        with self._lock:
            try:
                received = parsed = dcmread(BytesIO(part10))
                answer = self._decide(parsed, part10)
            except (InvalidDicomError, ValueError, TypeError, KeyError, EOFError, struct.error):
                answer = _status(CANNOT_UNDERSTAND, "the data set could not be read")
            self.received.append(received)
            self.statuses.append(answer.Status)
            self.received_at.append(time.time())
        if self.answer_after_s and answer.Status in (SUCCESS, COERCED):
            self._stopping.wait(self.answer_after_s)
        return answer

    def _decide(self, ds: FileDataset, part10: bytes) -> Dataset:
        if self._scripted:
            return _status(self._scripted.popleft(), "as the test wants it")
        if self.pdf_status is not None and ds.get("SOPClassUID") == uid.EncapsulatedPDFStorage:
            return _status(self.pdf_status, "no documents in this archive")
        instance_uid = str(ds.get("SOPInstanceUID", ""))
        if (
            not instance_uid or instance_uid != ds.file_meta.MediaStorageSOPInstanceUID
        ):  # the meta repeats the C-STORE-RQ
            return _status(DATA_SET_MISMATCH, "another instance than announced", [Tag(0x0008, 0x0018)])
        study = self._studies.get(str(ds.get("StudyInstanceUID", "")))
        if study is None:
            return _status(CANNOT_UNDERSTAND, "unknown study", [Tag(0x0020, 0x000D)])
        for names, complaint in ((PATIENT_FIELDS, "another patient"), (STUDY_FIELDS, "another study")):
            if differing := study.differing(ds, names):
                return _status(DATA_SET_MISMATCH, f"{complaint} than registered", differing)
        if instance_uid in self._stored:
            return _status(DUPLICATE_SOP_INSTANCE, "this instance is already here")
        return self._keep(instance_uid, part10)

    def _keep(self, instance_uid: str, part10: bytes) -> Dataset:
        kept = self._stored[instance_uid] = dcmread(BytesIO(part10))
        if not self.coerce:
            return _status(SUCCESS)
        kept.SeriesDescription = COERCED_SERIES_DESCRIPTION
        return _status(COERCED, "series description replaced", [Tag(0x0008, 0x103E)])

    def _find(self, event: Event) -> Iterator[tuple[int | Dataset, Dataset | None]]:
        identifier = event.identifier
        with self._lock:
            self.queries.append(identifier)
            self.asked_at.append(time.time())
            studies, stored = list(self._studies.values()), [] if self.index_is_late else list(self._stored.values())
        pending = _PENDING_WITHOUT_SOME_KEYS if query.has_unsupported_key(identifier) else _PENDING
        try:
            for found in query.answer(identifier, studies, stored):
                found.SpecificCharacterSet = self.query_character_set
                found.RetrieveAETitle = self.ae_title
                yield pending, found
        except query.IdentifierRefused as refused:
            yield _status(DATA_SET_MISMATCH, str(refused)), None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"--- {self.ae_title} answered C-STORE: {[hex(each) for each in self.statuses]}")
        self.stop()


def _status(code: int, comment: str = "", offending: Sequence[BaseTag] = ()) -> Dataset:
    """Status, Error Comment (at most 64 characters) and Offending Element (PS3.7 C.4)."""
    ds = Dataset()
    ds.Status = code
    if comment:
        ds.ErrorComment = comment[:64]
    if offending:
        ds.OffendingElement = list(offending)
    return ds
