"""The keys of a client that publishes them: the copy that is kept, and when it is fetched again.

A copy is fetched when its time is over (`max-age`, within bounds), and when an assertion names a key that is not in it,
but once a minute at the most: whoever sends us assertions makes nobody's host work. No transaction is open meanwhile.
Where the host is away the last good copy serves for a day.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gateway.domain.errors import GatewayError, Transient
from gateway.services.key_sets import read_key_set
from gateway.store import published_keys
from gateway.store.clients import KeySet
from gateway.store.engine import Database
from gateway.store.published_keys import Copy

AGAIN_AFTER = timedelta(minutes=1)
SERVES_FOR = timedelta(days=1)
_SHORTEST_FRESH_S, _LONGEST_FRESH_S = 60.0, 3600.0

_log = structlog.get_logger("gateway.services")


class KeyHost(Protocol):
    """Fetches what a client publishes."""

    def __call__(self, url: str) -> tuple[bytes, float]:
        """The body, and its max-age in seconds, 0 without one. Raises Transient, or Permanent for its answer."""
        ...


def keys_at(
    database: Database, client_id: str, url: str, is_wanted: Callable[[KeySet], bool], *, fetch: KeyHost, now: datetime
) -> KeySet:
    """What the client publishes, fetched again where that is due or the copy has not what `is_wanted`.

    Raises Transient where there is no copy that still serves.
    """
    with database.read() as connection:
        known = published_keys.published(connection, client_id)
    copy = known.copy if known else None
    was_just_tried = known is not None and known.was_tried_since(now - AGAIN_AFTER, now)
    if not was_just_tried and (copy is None or now >= copy.fresh_until or not is_wanted(copy.jwks)):
        copy = _fetched(database, client_id, url, fetch, now) or copy
    if copy is None or now >= copy.fetched_at + SERVES_FOR:
        raise Transient("the keys of the client cannot be fetched now", retry_after_s=AGAIN_AFTER.total_seconds())
    return copy.jwks


def _fetched(database: Database, client_id: str, url: str, fetch: KeyHost, now: datetime) -> Copy | None:
    """A new copy; None where it is not to be had, or was asked for a moment ago."""
    with database.write("client.fetch-keys") as connection:
        if not published_keys.begin_try(connection, client_id, now=now, last_before=now - AGAIN_AFTER):
            return None
    try:
        text, max_age_s = fetch(url)
        jwks = read_key_set(text)
    except GatewayError as failure:
        _log.warning("keys not fetched", client_id=client_id, reason=str(failure))
        return None
    fresh_s = min(max(max_age_s, _SHORTEST_FRESH_S), _LONGEST_FRESH_S)
    copy = Copy(jwks, fetched_at=now, fresh_until=now + timedelta(seconds=fresh_s))
    with database.write("client.keep-keys") as connection:
        published_keys.keep_copy(connection, client_id, copy)
    return copy
