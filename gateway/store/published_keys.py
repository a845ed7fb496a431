"""Copies of the keys that clients publish at an address of theirs, shared by all web processes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from gateway.store.clients import KeySet
from gateway.store.tables import published_keys
from gateway.store.turns import take_turn


@dataclass(frozen=True)
class Copy:
    """The last good copy, by the time its try began; it need not be fetched again before `fresh_until`."""

    jwks: KeySet
    fetched_at: datetime
    fresh_until: datetime


@dataclass(frozen=True)
class Published:
    """When the keys were last asked for, and what came of that or of an earlier time."""

    tried_at: datetime
    copy: Copy | None

    def was_tried_since(self, last_before: datetime, now: datetime) -> bool:
        """A try in the future is one of a clock that was set back since: it does not count."""
        return last_before < self.tried_at <= now


def published(connection: Connection, client_id: str) -> Published | None:
    """None where they were never asked for."""
    row = connection.execute(select(published_keys).where(published_keys.c.client_id == client_id)).one_or_none()
    if row is None:
        return None
    return Published(row.tried_at, None if row.jwks is None else Copy(row.jwks, row.fetched_at, row.fresh_until))


def begin_try(connection: Connection, client_id: str, *, now: datetime, last_before: datetime) -> bool:
    """Note that the keys are being fetched now; False where the last try of any process was after `last_before`."""
    take_turn(connection, f"published keys {client_id}")
    known = published(connection, client_id)
    if known is None:
        connection.execute(insert(published_keys).values(client_id=client_id, tried_at=now))
        return True
    if known.was_tried_since(last_before, now):
        return False
    connection.execute(update(published_keys).where(published_keys.c.client_id == client_id).values(tried_at=now))
    return True


def keep_copy(connection: Connection, client_id: str, copy: Copy) -> None:
    """The good copy from now on, unless the try that it came from was overtaken, by another address say."""
    is_of_try = (published_keys.c.client_id == client_id) & (published_keys.c.tried_at == copy.fetched_at)
    values = {"jwks": copy.jwks, "fetched_at": copy.fetched_at, "fresh_until": copy.fresh_until}
    connection.execute(update(published_keys).where(is_of_try).values(values))


def forget_copy(connection: Connection, client_id: str) -> None:
    """It was of another address, or is not wanted any more."""
    connection.execute(delete(published_keys).where(published_keys.c.client_id == client_id))
