"""What a delivery carries while it is being sent: its grant, asked anew before every instance and request."""

from dataclasses import dataclass
from typing import Self

from gateway.domain.delivery import EgressGrant
from gateway.domain.errors import NotAsked
from gateway.domain.record import Delivery
from gateway.domain.work import Job
from gateway.services import egress
from gateway.services.core import Core
from gateway.store.standing import Watch


class Permission:
    """The grant of one attempt. It ends when it is cancelled, denied on renewal, or the job's lease is lost."""

    def __init__(self, core: Core, job: Job, granted: EgressGrant) -> None:
        self._core = core
        self._watch = Watch(core.database, job)
        self._granted = granted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The attempt has ended: hold no connection for it any more."""
        self._watch.close()

    def require(self, payload_sha256: str) -> None:
        """Return when this very payload may leave at this very moment.

        `payload_sha256` is of what the caller has in hand to send. Raises Conflict when the permission has ended, and
        NotAsked when something else was granted than what is about to leave.
        """
        self._granted = egress.require_open(self._core, self._watch, self._granted)
        if payload_sha256 != self._granted.payload_sha256:
            raise NotAsked("what is about to leave is not what was granted; nothing more is sent")


@dataclass(frozen=True)
class Sending:
    """One attempt at one delivery.

    `may_have_left`: an earlier attempt had a grant, so look before sending again; `has_just_left`: such an attempt may
    have been under way until just now, so an index that takes its time may not show it yet.
    """

    delivery: Delivery
    permission: Permission
    may_have_left: bool
    has_just_left: bool = False
