"""The node: gives each connection of its ports a thread, keeps count, stops."""

import socket
import ssl
import threading
import time
from collections import Counter

import structlog

from dicom_node.scp.association import AssociationServer
from dicom_node.scp.listening import Listener
from dicom_node.scp.metrics import TOO_MANY_CONNECTIONS, NodeMetrics
from dicom_node.scp.refusals import Refusals
from dicom_node.scp.settings import CallerFinder, NodeSettings, Receiver, Refusal, RefusalKeeper
from dicom_node.scp.spool import SpoolFolder

_CONNECTION_LIMIT = "connection-limit"
log = structlog.get_logger(__name__)


class Admission:
    """How many associations there are, in all and for each calling AE title."""

    def __init__(self, most: int, most_per_peer: int) -> None:
        self._most = most
        self._most_per_peer = most_per_peer
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, calling_ae_title: str) -> bool:
        """Count the peer in; False when it, or everybody, has enough associations already."""
        with self._lock:
            is_full = self._inside.total() >= self._most
            if is_full or self._inside[calling_ae_title] >= self._most_per_peer:
                return False
            self._inside[calling_ae_title] += 1
            return True

    def leave(self, calling_ae_title: str) -> None:
        """Count the peer out."""
        with self._lock:
            self._inside[calling_ae_title] -= 1
            if not self._inside[calling_ae_title]:
                del self._inside[calling_ae_title]


class RunningNode:
    """A node that listens until `stop` is called."""

    def __init__(
        self,
        settings: NodeSettings,
        find_caller: CallerFinder,
        receive: Receiver,
        refused: RefusalKeeper,
        metrics: NodeMetrics,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._is_stopping = threading.Event()
        self._spool = SpoolFolder(settings.spool_folder, reserve_bytes=settings.reserve_bytes)
        self._refusals = Refusals(refused)
        admission = Admission(settings.max_associations, settings.max_associations_per_peer)
        self._server = AssociationServer(
            settings,
            self._spool,
            admission,
            find_caller,
            receive,
            self._is_stopping.is_set,
            metrics,
            self._refusals,
        )
        self._connections: dict[socket.socket, tuple[str, threading.Thread]] = {}
        self._lock = threading.Lock()
        self._listeners = [Listener(settings.host, settings.port, self._begin)]
        if settings.tls is not None:
            self._listeners.append(self._secure_listener(settings.tls))

    @property
    def port(self) -> int:
        """The port for plain TCP."""
        return self._listeners[0].port

    @property
    def tls_port(self) -> int | None:
        """The port for TLS, where there is one."""
        return self._listeners[1].port if self._settings.tls else None

    def stop(self, timeout_s: float = 10.0) -> None:
        """Take no more; let each object that is complete be committed and answered; drop the rest with its file."""
        self._is_stopping.set()
        for listener in self._listeners:
            listener.stop()
        with self._lock:
            connections = list(self._connections.items())
        for connection, _ in connections:
            _shut(connection, socket.SHUT_RD)
        deadline = time.monotonic() + timeout_s
        for connection, (_, thread) in connections:
            thread.join(max(0.0, deadline - time.monotonic()))
            _shut(connection, socket.SHUT_RDWR)
        self._refusals.stop(max(0.0, deadline - time.monotonic()))
        self._spool.remove()

    def _secure_listener(self, tls: ssl.SSLContext) -> Listener:
        """The port beside the plain one, which does not stay open when this one cannot be had."""
        try:
            return Listener(self._settings.host, self._settings.tls_port, self._begin, tls=tls)
        except OSError:
            self.stop()
            raise

    def _begin(self, connection: socket.socket, host: str) -> None:
        thread = threading.Thread(target=self._serve, args=(connection, host), name="dicom-connection", daemon=True)
        with self._lock:
            same_host = sum(1 for other, _ in self._connections.values() if other == host)
            is_too_many = len(self._connections) >= self._most_connections or same_host >= self._most_of_one_host
            if not is_too_many:
                self._connections[connection] = (host, thread)
        if is_too_many:
            log.warning("connection_refused", host=host)
            self._metrics.rejected(TOO_MANY_CONNECTIONS)
            self._refusals.add(Refusal(_CONNECTION_LIMIT, host))
            connection.close()
        else:
            thread.start()

    @property
    def _most_connections(self) -> int:
        """Associated or not yet; those who say nothing must not crowd out everybody else."""
        return self._settings.max_associations + 4 * self._settings.max_unassociated_per_host

    @property
    def _most_of_one_host(self) -> int:
        return self._settings.max_associations + self._settings.max_unassociated_per_host

    def _serve(self, connection: socket.socket, host: str) -> None:
        try:
            self._server.serve(connection, host)
        except Exception as exc:  # noqa: BLE001 - a process edge: one connection never takes the node down
            log.error("connection_failed", host=host, error=type(exc).__name__)
        finally:
            connection.close()
            with self._lock:
                del self._connections[connection]


def start_node(
    settings: NodeSettings,
    *,
    find_caller: CallerFinder,
    receive: Receiver,
    refused: RefusalKeeper,
    metrics: NodeMetrics,
) -> RunningNode:
    """Listen and serve in background threads; returns when the ports are open. Raises OSError when one cannot be."""
    return RunningNode(settings, find_caller, receive, refused, metrics)


def _shut(connection: socket.socket, how: int) -> None:
    try:
        socket.socket.shutdown(connection, how)  # SSLSocket's own would fall back to plain text for what follows
    except OSError:
        return  # the peer was faster
