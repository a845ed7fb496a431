"""Two transactions in each other's way, the same way at every run."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import text

from gateway.domain import hooks
from gateway.domain.errors import Conflict
from gateway.store.engine import Database
from tests.peers.processes import wait_until

First = TypeVar("First")
Second = TypeVar("Second")
_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = :n")


def overlapping(database: Database, first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Run both; the first transaction commits when `second` has ended or waits for a lock that it holds.

    `second` begins when `first` is about to commit its first transaction. On SQLite it waits for the one writer's turn.
    """
    pool = ThreadPoolExecutor(2, thread_name_prefix="overlapping")
    begun: list[Future[Second]] = []

    def pause(hook: str) -> None:
        if not hook.endswith(".before_commit") or begun:
            return
        begun.append(pool.submit(second))
        wait_until(lambda: begun[0].done() or is_waiting(database), timeout_s=10, waiting_for="the second transaction")

    hooks.observe(pause)
    try:
        came_first = pool.submit(first).result(timeout=30)
        return came_first, begun[0].result(timeout=30)
    finally:
        hooks.forget(pause)
        pool.shutdown()


def outcome(decide: Callable[[], None]) -> str:
    """What became of a person's decision: `done` or `refused`."""
    try:
        decide()
    except Conflict:
        return "refused"
    return "done"


def is_waiting(database: Database) -> bool:
    """Whether a transaction waits for a lock; on SQLite whoever writes waits for the one writer."""
    if database.is_sqlite:
        return True
    with database.read() as connection:
        return bool(connection.execute(_WAITING, {"n": database.url.database}).scalar_one())
