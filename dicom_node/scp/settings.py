"""What a node is told, and what it hands over."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.domain.party import Endpoint
from gateway.domain.study import InstanceHeader


@dataclass(frozen=True)
class NodeSettings:
    """Where the node listens, and how patient it is. `port` and `tls_port` 0 let the system choose.

    With `tls` there is a second port, for TLS only, beside the plain one.

    `pdu_timeout_s` is how long a peer may take for one whole PDU; `association_timeout_s` for the TLS handshake and
    for the association request; `idle_timeout_s` between two PDUs. `reserve_bytes` stay free on the spool's disk.
    `extra_sop_classes` are accepted beside the standard storage classes.
    """

    spool_folder: Path
    ae_title: str = "CONSILIUM"
    host: str = "0.0.0.0"  # noqa: S104 - a hospital has to reach it
    port: int = 11112
    max_pdu_bytes: int = 131_072
    max_associations: int = 32
    max_associations_per_peer: int = 8
    max_unassociated_per_host: int = 32
    association_timeout_s: float = 10.0
    pdu_timeout_s: float = 30.0
    idle_timeout_s: float = 60.0
    reserve_bytes: int = 1 << 28
    extra_sop_classes: tuple[str, ...] = ()
    tls_port: int = 0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True)
class ReceivedInstance:
    """A whole object in the spool, not yet promised to anybody.

    The file is a Part 10 file: a header built from three UIDs, then the data set exactly as it came; it is on the disk
    (fdatasync) already. `sha256` is that of the file and equals `dataset_sha256` of it. `caller` is whom
    the caller finder found. The receiver may move the file away; what stays is deleted.
    """

    spool_path: Path
    size_bytes: int
    sha256: str
    header: InstanceHeader
    calling_ae_title: str
    called_ae_title: str
    peer_host: str
    association_id: str
    caller: Endpoint


CallerFinder = Callable[[str], Endpoint | None]
"""AE title -> whose it is, or None when nobody registered it; asked for every association."""


@dataclass(frozen=True)
class Refusal:
    """Somebody was not let in; `reason` is one of a few codes of ours.

    `calling_ae_title` is what the caller says of itself, '' where it did not come so far. Nobody has checked it.
    `at` is when it happened, however much later it is kept.
    """

    reason: str
    host: str
    calling_ae_title: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


RefusalKeeper = Callable[[Refusal], None]
"""Remembers whoever was turned away; called in a thread of its own, for which no answer waits."""

Receiver = Callable[[ReceivedInstance], None]
"""Makes the instance durable and returns, or raises; only its return is answered with 0x0000."""
