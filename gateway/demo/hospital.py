"""The demo's hospital: a PACS that holds the study, sends it, answers C-FIND and takes the report's PDF.

PS3.4 B (storage), C (query, Study Root).
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import EncapsulatedPDFStorage
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # pynetdicom makes the names at import
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_node.header import read_file_header
from dicom_node.scu import open_sender
from gateway.demo.archive_query import Unanswerable, matches
from gateway.demo.listening import DicomListener
from gateway.demo.waiting import StepFailed
from gateway.domain.errors import GatewayError
from gateway.domain.party import DicomAddress

AE_TITLE = "HOSPITAL"
_SUCCESS, _PENDING = 0x0000, 0xFF00
_IDENTIFIER_DOES_NOT_MATCH = 0xA900  # PS3.4 Table C.4-1; for C-STORE (Table B.2-1) "data set does not match"
_CANNOT_UNDERSTAND = 0xC000


class Hospital:
    """`folder` is its archive, one file an object, one folder a study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, Dataset] = {}
        self._files: dict[str, Path] = {}
        self._lock = threading.Lock()
        kinds = (Verification, StudyRootQueryRetrieveInformationModelFind, EncapsulatedPDFStorage)
        handlers = [(evt.EVT_C_ECHO, _echo), (evt.EVT_C_FIND, self._find), (evt.EVT_C_STORE, self._store)]
        self._listener = DicomListener(AE_TITLE, map(build_context, kinds), handlers)

    @property
    def address(self) -> DicomAddress:
        """The PACS on the network."""
        return self._listener.address

    def start(self) -> None:
        """Open the PACS."""
        self._listener.start()

    def stop(self) -> None:
        """Close the PACS; its files stay."""
        self._listener.stop()

    def acquire(self, images: Iterable[FileDataset]) -> list[Path]:
        """Take new images of the hospital's own into the archive; gives their files."""
        return [self._keep(image, _part10(image)) for image in images]

    def send(self, files: Iterable[Path], to: DicomAddress, on_stored: Callable[[], None] = lambda: None) -> int:
        """C-STORE these objects in one association; gives how many. Raises StepFailed at the first that is refused."""
        objects = [file.read_bytes() for file in files]
        try:
            with open_sender(to, AE_TITLE, map(_kind, objects), spool_folder=self.folder) as sender:
                for number, each in enumerate(objects, start=1):
                    if (status := sender.send(each)) != _SUCCESS:
                        raise StepFailed(f"object {number} of {len(objects)} was not stored: 0x{status:04X}")
                    on_stored()
        except GatewayError as exc:
            raise StepFailed(f"the hospital could not send its study: {exc}") from exc
        return len(objects)

    def reports(self, study_instance_uid: str) -> list[Path]:
        """The Encapsulated PDF objects that stand in this study."""
        with self._lock:
            return [
                self._files[uid]
                for uid, ds in self._held.items()
                if ds.SOPClassUID == EncapsulatedPDFStorage and ds.StudyInstanceUID == study_instance_uid
            ]

    def _keep(self, ds: Dataset, part10: bytes) -> Path:
        study_folder = self.folder / str(ds.StudyInstanceUID)
        study_folder.mkdir(parents=True, exist_ok=True)
        file = study_folder / f"{ds.Modality}-{ds.get('InstanceNumber', 0):04d}-{str(ds.SOPInstanceUID)[-8:]}.dcm"
        file.write_bytes(part10)
        header = dcmread(file, stop_before_pixels=True, defer_size=1024)
        with self._lock:
            self._held[str(ds.SOPInstanceUID)] = header
            self._files[str(ds.SOPInstanceUID)] = file
        return file

    def _store(self, event: Event) -> int:
        """Only into a study that is here, and only for its patient."""
        part10 = event.encoded_dataset()
        ds = dcmread(BytesIO(part10))
        with self._lock:
            of_study = [one for one in self._held.values() if one.StudyInstanceUID == ds.StudyInstanceUID]
        patients = {str(one.PatientID) for one in of_study}
        if not patients:
            return _CANNOT_UNDERSTAND
        if patients != {str(ds.PatientID)}:
            return _IDENTIFIER_DOES_NOT_MATCH
        self._keep(ds, part10)
        return _SUCCESS

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        with self._lock:
            held = list(self._held.values())
        try:
            for answer in matches(event.identifier, held):
                yield _PENDING, answer
        except Unanswerable:
            yield _IDENTIFIER_DOES_NOT_MATCH, None


def _echo(_event: Event) -> int:
    return _SUCCESS


def _part10(image: FileDataset) -> bytes:
    file = BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _kind(part10: bytes) -> tuple[str, str]:
    header = read_file_header(part10)
    return header.sop_class_uid, header.transfer_syntax_uid
