"""Who failed to sign in, and how often in a row. What is counted (a name, an address) is known by its digest only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from gateway.store.tables import sign_in_failure
from gateway.store.turns import take_turn


@dataclass(frozen=True)
class Failures:
    """So many in a row, the last one at that time."""

    count: int
    last_at: datetime


def take_turn_to_count(connection: Connection, subjects: Sequence[str]) -> None:
    """Attempts at the same are counted one after the other, in whichever process they arrive."""
    for subject in sorted(subjects):  # all in the same order: nobody waits for whoever waits for them
        take_turn(connection, f"sign-in failures {subject}")


def of(connection: Connection, subjects: Sequence[str]) -> Mapping[str, Failures]:
    """Those of these digests that failed."""
    query = select(sign_in_failure).where(sign_in_failure.c.subject_sha256.in_(subjects))
    return {row.subject_sha256: Failures(row.failures, row.last_at) for row in connection.execute(query)}


def set_count(connection: Connection, subject: str, count: int, *, now: datetime) -> None:
    """So many failures now; the caller has the turn."""
    row = {"failures": count, "last_at": now}
    is_it = sign_in_failure.c.subject_sha256 == subject
    if connection.execute(update(sign_in_failure).where(is_it).values(row)).rowcount == 0:
        connection.execute(insert(sign_in_failure).values(row | {"subject_sha256": subject}))


def forget(connection: Connection, subjects: Sequence[str]) -> None:
    """They begin anew."""
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.subject_sha256.in_(subjects)))


def purge(connection: Connection, before: datetime) -> None:
    """Remove what nobody has failed at since; what another transaction counts just now stays."""
    is_old = select(sign_in_failure.c.subject_sha256).where(sign_in_failure.c.last_at <= before)
    free = is_old.with_for_update(skip_locked=True).scalar_subquery()
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.subject_sha256.in_(free)))
