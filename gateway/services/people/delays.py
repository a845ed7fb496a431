"""Who fails again and again has to wait, longer each time: counted in the database, for every web process.

An attempt is counted before it is looked at, so that many at the same moment are no way around it, and taken back when
it succeeds. One that comes too early is neither counted nor looked at: the wait ends when it was said to end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.errors import Throttled
from gateway.domain.people import Person
from gateway.domain.sign_in import ACCOUNT, ADDRESS, FORGOTTEN_AFTER, SECOND_FACTOR, Patience, Visitor
from gateway.services.client_proof import digest
from gateway.services.core import Core
from gateway.store import sign_in_failures
from gateway.store.sign_in_failures import Failures


@dataclass(frozen=True)
class Watched:
    """What failures are counted of."""

    subject: str
    patience: Patience


def of_name(name: str, visitor: Visitor) -> tuple[Watched, ...]:
    """An attempt from a browser that is not known to have been the person's."""
    return _of_name(name), Watched(digest(f"address/{visitor.address}"), ADDRESS)


def of_known_device(person: Person) -> tuple[Watched, ...]:
    """An attempt from a browser that the person signed in with before: no stranger's failures delay it."""
    return (Watched(digest(f"device/{person.id}"), ACCOUNT),)


def of_second_factor(person_id: str) -> tuple[Watched, ...]:
    """A code, of somebody who knows the password or has the session."""
    return (Watched(digest(f"factor/{person_id}"), SECOND_FACTOR),)


def charge(core: Core, watched: Sequence[Watched]) -> timedelta:
    """Count an attempt; gives how long the next one has to wait should it fail. Raises Throttled."""
    now = core.now()
    with core.database.write("user.attempt") as connection:
        sign_in_failures.take_turn_to_count(connection, _subjects(watched))
        failed = sign_in_failures.of(connection, _subjects(watched))
        waits = [_charge(connection, one, failed.get(one.subject), now) for one in watched]
        if len(failed) < len(watched):  # whoever adds rows takes old ones away, last: nothing is waited for after it
            sign_in_failures.purge(connection, now - FORGOTTEN_AFTER)
    return max(waits)


def settle(connection: Connection, watched: Sequence[Watched], now: datetime) -> None:
    """The attempt succeeded: nothing counts any more, but for an address, where others may be: only this attempt."""
    sign_in_failures.take_turn_to_count(connection, _subjects(watched))
    counted = sign_in_failures.of(connection, _subjects(watched))
    sign_in_failures.forget(connection, [one.subject for one in watched if one.patience is not ADDRESS])
    for one in watched:
        if one.patience is ADDRESS and one.subject in counted:
            sign_in_failures.set_count(connection, one.subject, max(0, counted[one.subject].count - 1), now=now)


def forgive(connection: Connection, person: Person) -> None:
    """An administrator says so: nothing of this person's counts any more."""
    watched = (_of_name(person.name), *of_known_device(person), *of_second_factor(person.id))
    sign_in_failures.take_turn_to_count(connection, _subjects(watched))
    sign_in_failures.forget(connection, _subjects(watched))


def _subjects(watched: Sequence[Watched]) -> list[str]:
    return [one.subject for one in watched]


def _of_name(name: str) -> Watched:
    return Watched(digest(f"name/{name}"), ACCOUNT)


def _charge(connection: Connection, watched: Watched, failed: Failures | None, now: datetime) -> timedelta:
    if failed is not None and failed.last_at <= now - FORGOTTEN_AFTER:
        failed = None
    if failed is not None:
        left = failed.last_at + watched.patience.wait_after(failed.count) - now
        if left > timedelta(0):
            wait_s = max(1, math.ceil(left.total_seconds()))  # said alike whether or not there is such a person
            raise Throttled(f"too many attempts failed; try again in {wait_s} s", retry_after_s=wait_s)
    count = failed.count + 1 if failed else 1
    sign_in_failures.set_count(connection, watched.subject, count, now=now)
    return watched.patience.wait_after(count)
