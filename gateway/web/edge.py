"""What the HTTP edge works with; wired once by the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Protocol

from flask import request

from gateway.services.denial_limit import DenialLimit
from gateway.services.published_keys import KeyHost
from gateway.services.resource_transaction import Effect
from gateway.services.resources import Intake, Preparation
from gateway.services.review_grant import Reading
from gateway.store.engine import Database
from gateway.web.rates import Rates


class Room(Protocol):
    """Whoever knows whether there is room for what is to be stored, and whether it can be stored at all."""

    def require_room(self, size_bytes: int) -> None:
        """Raise Full when there is not."""

    def check(self) -> None:
        """Raise Full or Transient when nothing can be stored now."""


@dataclass(frozen=True)
class Surroundings:
    """What /readyz and /metrics look at beside the stores.

    `broker` is its host and port, None without one. A due job that has waited `overdue_after_s` is worth a warning.
    `key_problem` says why the pseudonym key must not be used, '' for none.
    """

    data_folder: Path
    reserve_bytes: int
    broker: tuple[str, int] | None
    overdue_after_s: float
    key_problem: Callable[[], str]


Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Admission:
    """How callers are let in: whose word about addresses and certificates is taken, and how often each may come.

    `denials`: how often whoever is turned away is remembered. `/metrics` is shown to `metrics_readers` alone.
    """

    fetch_keys: KeyHost
    rates: Rates
    trusted_proxies: tuple[Network, ...] = ()
    metrics_readers: tuple[Network, ...] = ()
    denials: DenialLimit = field(default_factory=DenialLimit)


@dataclass(frozen=True)
class Edge:
    """The stores, what storing sets in motion (`gateway.services.effects`), and a few settings.

    `effects` run when a resource of the type is stored, `before_storing` before. `base_url` is the address by which
    clients reach the gateway, no slash at its end; '' = as they call it. `started_on` is an ISO 8601 date. With
    `pseudonym_key` a reviewer's UIDs are made.
    """

    database: Database
    blobs: Room
    now: Callable[[], datetime]
    effects: Mapping[str, Effect]
    before_storing: Mapping[str, Preparation]
    version: str
    started_on: str
    base_url: str
    max_body_bytes: int
    token_lifetime_s: int
    surroundings: Surroundings
    admission: Admission
    pseudonym_key: bytes = field(repr=False)

    @property
    def reading(self) -> Reading:
        """For the services that show a reviewer the cases assigned to them."""
        return Reading(self.database, self.now, self.pseudonym_key)

    @property
    def intake(self) -> Intake:
        """For the services that store."""
        return Intake(self.database, self.now, self.effects, self.before_storing)

    @property
    def root_url(self) -> str:
        """The gateway's own address in the current request."""
        return self.base_url.rstrip("/") or request.host_url.rstrip("/")

    @property
    def fhir_url(self) -> str:
        """The FHIR base URL in the current request."""
        return f"{self.root_url}/fhir"
