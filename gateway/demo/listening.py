"""A DICOM node of the demo: pynetdicom on a free port of this machine, in threads of this process."""

import socket
from collections.abc import Callable, Iterable
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import ThreadedAssociationServer

from gateway.domain.party import DicomAddress

LOOPBACK = "127.0.0.1"


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
        """Hang up. What is under way is aborted."""
        self._entity.shutdown()
        self._server = None


def free_ports(count: int) -> list[int]:
    """TCP ports on which nobody listens now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def written(ae: DicomAddress) -> str:
    """`AE@host:port`, as the command line takes it."""
    return f"{ae.ae_title}@{ae.host}:{ae.port}"
