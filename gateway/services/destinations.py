"""What is learned of a destination by sending to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from gateway.domain.breaker import CLOSED, Breaker
from gateway.domain.errors import Ambiguous, Permanent, Unreachable
from gateway.services.core import Core
from gateway.store import breakers

_log = structlog.get_logger()


@contextmanager
def watched(core: Core, endpoint_id: str) -> Iterator[None]:
    """Around the sending: a destination that is not reached is left alone for a while, one that answers is not.

    An answer that refuses is an answer. Any other error says nothing of the destination.
    """
    try:
        yield
    except (Unreachable, Ambiguous) as exc:
        _failed(core, endpoint_id, getattr(exc, "retry_after_s", None))
        raise
    except Permanent:
        _answered(core, endpoint_id)
        raise
    _answered(core, endpoint_id)


def _answered(core: Core, endpoint_id: str) -> None:
    with core.database.read() as connection:
        if breakers.by_endpoint(connection, endpoint_id) == CLOSED:
            return
    with core.database.write("destination.answered") as connection:
        before = breakers.lock(connection, endpoint_id)
        breakers.keep(connection, endpoint_id, CLOSED)
    _tell(endpoint_id, before, CLOSED)


def _failed(core: Core, endpoint_id: str, retry_after_s: float | None) -> None:
    with core.database.write("destination.failed") as connection:
        before = breakers.lock(connection, endpoint_id)
        after = before.after_failure(core.now(), core.destinations, retry_after_s)
        breakers.keep(connection, endpoint_id, after)
    _tell(endpoint_id, before, after)


def _tell(endpoint_id: str, before: Breaker, after: Breaker) -> None:
    if (before.probe_at is None) is not (after.probe_at is None):
        _log.warning("destination.opened" if after.probe_at else "destination.closed", endpoint=endpoint_id)
