"""The demo's reviewer: a DICOM node that keeps every object it is sent as a file (PS3.4 B)."""

import threading
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import EncapsulatedPDFStorage
from pynetdicom import StoragePresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # pynetdicom makes the names at import

from gateway.demo.listening import DicomListener
from gateway.domain.party import DicomAddress

AE_TITLE = "REVIEWER"


class Reviewer:
    """`folder` receives the files; nobody here knows the patient."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, tuple[Path, bool]] = {}
        self._lock = threading.Lock()
        contexts = [build_context(Verification), *StoragePresentationContexts]
        handlers = [(evt.EVT_C_ECHO, _echo), (evt.EVT_C_STORE, self._store)]
        self._listener = DicomListener(AE_TITLE, contexts, handlers)

    @property
    def address(self) -> DicomAddress:
        """The node on the network."""
        return self._listener.address

    def start(self) -> None:
        """Open the node."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._listener.start()

    def stop(self) -> None:
        """Close the node; its files stay."""
        self._listener.stop()

    def images(self) -> list[Path]:
        """The files that are no documents, in the order of their instance numbers."""
        return sorted(self._received(is_document=False))

    def documents(self) -> list[Path]:
        """The Encapsulated PDF files."""
        return sorted(self._received(is_document=True))

    def _received(self, *, is_document: bool) -> list[Path]:
        with self._lock:
            return [file for file, is_pdf in self._files.values() if is_pdf is is_document]

    def _store(self, event: Event) -> int:
        """An object that comes again replaces itself: its UID never changes."""
        part10 = event.encoded_dataset()
        ds = dcmread(BytesIO(part10), stop_before_pixels=True)
        file = self.folder / _file_name(ds)
        file.write_bytes(part10)
        with self._lock:
            self._files[str(ds.SOPInstanceUID)] = (file, ds.SOPClassUID == EncapsulatedPDFStorage)
        return 0x0000


def _file_name(ds: Dataset) -> str:
    return f"{ds.Modality}-{ds.get('InstanceNumber') or 0:04d}-{str(ds.SOPInstanceUID)[-8:]}.dcm"


def _echo(_event: Event) -> int:
    return 0x0000
