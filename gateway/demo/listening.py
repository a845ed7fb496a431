"""A DICOM node of the demo: pynetdicom on a free port of this machine, in threads of this process."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import ThreadedAssociationServer

from gateway.demo.places import LOOPBACK
from gateway.domain.party import DicomAddress

_END_WITHIN_S = 3.0
_LOOK_EVERY_S = 0.02


class DicomListener:
    """Listens between `start` and `stop`; `handlers` are pynetdicom's, by event."""

    def __init__(
        self,
        ae_title: str,
        contexts: Iterable[PresentationContext],
        handlers: Iterable[tuple[evt.InterventionEvent, Callable[[Event], Any]]],
    ) -> None:
        self._entity = AE(ae_title)
        self._entity.require_called_aet = True
        self._entity.supported_contexts = list(contexts)
        self._handlers: list[Any] = list(handlers)
        self._server: ThreadedAssociationServer | None = None

    @property
    def address(self) -> DicomAddress:
        """Where it listens. Before `start` the port is 0."""
        port = int(self._server.server_address[1]) if self._server else 0
        return DicomAddress(self._entity.ae_title, LOOPBACK, port)

    def start(self) -> None:
        """Listen from now on, on a port that the system chooses."""
        self._server = self._entity.start_server((LOOPBACK, 0), block=False, evt_handlers=self._handlers)

    def stop(self) -> None:
        """Hang up. What does not end by itself soon is aborted: an abort into a release breaks pynetdicom's reactor."""
        deadline = time.monotonic() + _END_WITHIN_S
        while self._entity.active_associations and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        self._entity.shutdown()
        self._server = None
