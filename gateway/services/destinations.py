"""What is learned of a destination by sending to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from gateway.domain.breaker import CLOSED, Breaker
from gateway.domain.errors import Ambiguous, GatewayError, Lacking, NotAsked, Permanent, Unanswered, Unreachable
from gateway.services.core import Core
from gateway.store import breakers

_log = structlog.get_logger()


@contextmanager
def watched(core: Core, endpoint_id: str) -> Iterator[None]:
    """Around the sending: a destination that is not reached is left alone for a while, one that answers is not.

    An answer that refuses is an answer, and so is one that leaves open what became of it. Any other error, such as a
    token of ours that cannot be read, says nothing of the destination.
    """
    try:
        yield
    except (Unreachable, Unanswered) as exc:
        _failed(core, endpoint_id, exc.retry_after_s)
        raise
    except NotAsked:
        raise
    except (Permanent, Ambiguous, Lacking):
        _answered(core, endpoint_id)
        raise
    _answered(core, endpoint_id)


def _answered(core: Core, endpoint_id: str) -> None:
    with _if_possible(endpoint_id):
        with core.database.read() as connection:
            if breakers.by_endpoint(connection, endpoint_id) == CLOSED:
                return
        with core.database.write("destination.answered") as connection:
            before = breakers.lock(connection, endpoint_id)
            breakers.keep(connection, endpoint_id, CLOSED)
        _tell(endpoint_id, before, CLOSED)


def _failed(core: Core, endpoint_id: str, retry_after_s: float | None) -> None:
    with _if_possible(endpoint_id):
        with core.database.write("destination.failed") as connection:
            before = breakers.lock(connection, endpoint_id)
            after = before.after_failure(core.now(), core.destinations, retry_after_s)
            breakers.keep(connection, endpoint_id, after)
        _tell(endpoint_id, before, after)


@contextmanager
def _if_possible(endpoint_id: str) -> Iterator[None]:
    """The next sending learns it again; what became of this one is not to be lost for it."""
    try:
        yield
    except GatewayError as exc:
        _log.warning("destination.unnoted", endpoint=endpoint_id, error=type(exc).__name__)


def _tell(endpoint_id: str, before: Breaker, after: Breaker) -> None:
    if (before.probe_at is None) is not (after.probe_at is None):
        _log.warning("destination.opened" if after.probe_at else "destination.closed", endpoint=endpoint_id)
