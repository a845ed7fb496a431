"""What a delivery carries while it is being sent: its grant, asked anew before every instance and request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from gateway.domain.delivery import EgressGrant
from gateway.domain.errors import NotAsked
from gateway.domain.record import Delivery
from gateway.domain.work import Job
from gateway.services import egress
from gateway.services.core import Core
from gateway.store.standing import Watch


class Leave:
    """What was asked about one thing that is made ready to leave; called once, immediately before it goes.

    `refusal` is what was raised then, and tells it from an error of the destination.
    """

    def __init__(self, answered: Callable[[], None]) -> None:
        self._answered = answered
        self.refusal: Exception | None = None

    def __call__(self) -> None:
        """Return when it may go. Raises as `Permission.require`."""
        try:
            self._answered()
        except Exception as exc:
            self.refusal = exc
            raise


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
        self.ask(payload_sha256)()

    def ask(self, payload_sha256: str) -> Leave:
        """Ask what `require` asks, and wait for the answer only when what is to leave has been made ready.

        Raises as `require`. An answer that nobody waited for lets nothing else leave.
        """
        granted = self._granted
        standing = self._watch.look(granted)

        def answered() -> None:
            self._granted = egress.require_open(self._core, granted, standing())
            if payload_sha256 != self._granted.payload_sha256:
                raise NotAsked("what is about to leave is not what was granted; nothing more is sent")

        return Leave(answered)


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
