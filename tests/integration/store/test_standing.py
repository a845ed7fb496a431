"""A look before each object sees what was committed before it, by whomever; and holds nothing once the attempt ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.domain.delivery import EgressGrant
from gateway.domain.errors import Conflict, Transient
from gateway.domain.record import Delivery
from gateway.domain.work import Job, JobKind
from gateway.services import egress
from gateway.services.sending import Permission
from gateway.store import deliveries, outbox
from gateway.store.engine import Database
from gateway.store.standing import Standing, Watch
from tests.forked import kill_at
from tests.peers.postgres import Postgres
from tests.peers.processes import wait_until
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

STANDS = Standing(is_held=True, is_granted=True)
_LOOKING = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND query LIKE '%egress_grant.cancelled_at IS NULL%'"
)
_CUT = text(f"SELECT pg_terminate_backend(pid) {_LOOKING}")
_WAITING = text(f"SELECT wait_event_type {_LOOKING}")
_STATES = text(f"SELECT state {_LOOKING}")


class Attempt:
    """A delivery of images that a worker has claimed, with its grant."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.scenery = Scenery(database, folder)
        self.scenery.consent(DISCLOSE)
        self.delivery: Delivery = self.scenery.images("1.1")
        granted = egress.grant(self.scenery.core, self.delivery.id)
        assert granted is not None
        self.granted: EgressGrant = granted
        self.job: Job = self.scenery.claimed(JobKind.DELIVERY_SEND, self.delivery.id)

    def cancel(self, database: Database) -> None:
        """As a revocation does."""
        with database.write("test") as connection:
            deliveries.cancel_grants(connection, self.delivery.id, self.scenery.clock())


@pytest.fixture
def attempt(database: Database, tmp_path: Path) -> Attempt:
    return Attempt(database, tmp_path)


@pytest.fixture
def watch(database: Database, attempt: Attempt) -> Iterator[Watch]:
    watch = Watch(database, attempt.job)
    yield watch
    watch.close()


def _in_this_process(attempt: Attempt, database: Database) -> None:
    attempt.cancel(database)


def _in_another_process(attempt: Attempt, database: Database) -> None:
    kill_at("test.after_commit", partial(attempt.cancel, database), database=database)


@pytest.mark.parametrize("cancel", [_in_this_process, _in_another_process], ids=["here", "in-another-process"])
def test_a_look_sees_a_cancellation_as_soon_as_it_is_committed(
    database: Database, attempt: Attempt, watch: Watch, cancel: Callable[[Attempt, Database], None]
) -> None:
    assert [watch.standing(attempt.granted) for _ in range(3)] == [STANDS] * 3
    cancel(attempt, database)
    assert watch.standing(attempt.granted) == Standing(is_held=True, is_granted=False)


def test_a_look_does_not_see_what_is_not_committed_yet_and_waits_for_nobody(
    database: Database, attempt: Attempt, watch: Watch
) -> None:
    with database.write("test") as connection:
        deliveries.cancel_grants(connection, attempt.delivery.id, attempt.scenery.clock())
        assert watch.standing(attempt.granted) == STANDS
    assert watch.standing(attempt.granted) == Standing(is_held=True, is_granted=False)


def test_a_look_sees_that_another_worker_took_over(database: Database, attempt: Attempt, watch: Watch) -> None:
    assert watch.standing(attempt.granted) == STANDS
    clock, policy = attempt.scenery.clock, attempt.scenery.core.destinations
    clock.forward(seconds=61)
    with database.write("test") as connection:
        other = outbox.claim(connection, attempt.job.id, owner="other", now=clock(), lease_s=60, policy=policy)
    assert other is not None
    assert watch.standing(attempt.granted) == Standing(is_held=False, is_granted=True)


def test_a_look_at_a_grant_that_was_never_committed_finds_none(attempt: Attempt, watch: Watch) -> None:
    assert watch.standing(replace(attempt.granted, id="another")) == Standing(is_held=True, is_granted=False)


def test_looks_end_no_writer_s_turn_and_keep_no_snapshot(database: Database, attempt: Attempt, watch: Watch) -> None:
    watch.standing(attempt.granted)
    if database.is_sqlite:
        with database.aside() as raw:  # a reader that kept its snapshot would keep the log from being emptied
            assert raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    else:
        with database.read() as connection:
            assert connection.execute(_STATES).scalars().all() == ["idle"]


def test_a_connection_that_breaks_between_two_looks_is_replaced(postgres: Postgres, tmp_path: Path) -> None:
    database = Database(postgres.create_database("broken", template="with_schema"))
    attempt = Attempt(database, tmp_path)
    watch = Watch(database, attempt.job)
    assert watch.standing(attempt.granted) == STANDS
    with database.read() as connection:
        assert connection.execute(_CUT).scalars().all() == [True]
    assert watch.standing(attempt.granted) == STANDS
    attempt.cancel(database)
    with database.read() as connection:
        assert connection.execute(_CUT).scalars().all() == [True]
    assert not watch.standing(attempt.granted).is_granted
    watch.close()
    database.dispose()


def test_where_nobody_answers_nothing_goes(postgres: Postgres, tmp_path: Path) -> None:
    database = Database(postgres.create_database("gone", template="with_schema"))
    attempt = Attempt(database, tmp_path)
    with Permission(attempt.scenery.core, attempt.job, attempt.granted) as permission:
        permission.require(attempt.delivery.payload_sha256)
        database.dispose()
        postgres.drop_database("gone")
        for _ in range(2):
            with pytest.raises(Transient, match="the database gone at"):
                permission.require(attempt.delivery.payload_sha256)
    database.dispose()


def test_an_answer_is_not_older_than_its_question(database: Database, attempt: Attempt, watch: Watch) -> None:
    assert watch.look(attempt.granted)() == STANDS
    attempt.cancel(database)
    assert watch.look(attempt.granted)() == Standing(is_held=True, is_granted=False)


def test_an_answer_that_nobody_waited_for_lets_nothing_leave(
    database: Database, attempt: Attempt, watch: Watch
) -> None:
    watch.look(attempt.granted)
    attempt.cancel(database)
    assert not watch.standing(attempt.granted).is_granted
    watch.look(attempt.granted)  # it could say no too, but is of another grant
    assert not watch.look(replace(attempt.granted, id="another"))().is_granted


def test_an_answer_is_waited_for_once(database: Database, attempt: Attempt, watch: Watch) -> None:
    first = watch.look(attempt.granted)
    second = watch.look(attempt.granted)
    with pytest.raises(RuntimeError, match="another question"):
        first()
    assert second() == STANDS
    with pytest.raises(RuntimeError, match="before"):
        second()
    late = watch.look(attempt.granted)
    watch.close()
    with pytest.raises(RuntimeError):
        late()


def test_a_connection_that_breaks_before_its_answer_is_replaced(postgres: Postgres, tmp_path: Path) -> None:
    database = Database(postgres.create_database("cut", template="with_schema"))
    attempt = Attempt(database, tmp_path)
    watch = Watch(database, attempt.job)
    assert watch.standing(attempt.granted) == STANDS
    with _nobody_is_answered(database):
        answer = watch.look(attempt.granted)
        _cut_while_asking(database)
    attempt.cancel(database)
    assert not answer().is_granted
    watch.close()
    database.dispose()


def test_a_look_that_is_kept_waiting_too_long_is_an_error(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.create_database("waiting", template="with_schema")
    patient, hasty = Database(url), Database(f"{url}?options=-c lock_timeout=50ms")
    attempt = Attempt(patient, tmp_path)
    watch = Watch(hasty, attempt.job)
    assert watch.standing(attempt.granted) == STANDS
    with patient.write("test") as connection:
        connection.execute(text("LOCK TABLE egress_grant IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(Transient, match="is busy"):
            watch.standing(attempt.granted)
    assert watch.standing(attempt.granted) == STANDS
    watch.close()
    for database in (patient, hasty):
        database.dispose()


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["sent", "cancelled"])
def test_nothing_is_held_once_the_attempt_has_ended(database: Database, attempt: Attempt, is_cancelled: bool) -> None:
    permission = Permission(attempt.scenery.core, attempt.job, attempt.granted)
    with suppress(Conflict), permission:
        permission.require(attempt.delivery.payload_sha256)
        if not database.is_sqlite:
            assert len(_states(database)) == 1
        if is_cancelled:
            attempt.cancel(database)
            permission.require(attempt.delivery.payload_sha256)
    if database.is_sqlite:
        database.dispose()
        assert not Path(f"{database.url.database}-wal").exists()  # the last connection takes it with it
    else:
        wait_until(lambda: _states(database) == [], timeout_s=10, waiting_for="the connection to end")


@contextmanager
def _nobody_is_answered(database: Database) -> Iterator[None]:
    """Whoever looks has no answer until the block ends."""
    with database.write("test") as connection:
        connection.execute(text("LOCK TABLE egress_grant IN ACCESS EXCLUSIVE MODE"))
        yield


def _cut_while_asking(database: Database) -> None:
    """Its question has come, and its connection is ended before it is answered."""
    with database.read() as connection:
        wait_until(
            lambda: connection.execute(_WAITING).scalars().all() == ["Lock"],
            timeout_s=10,
            waiting_for="the question to wait",
        )
        assert connection.execute(_CUT).scalars().all() == [True]


def _states(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(_STATES).scalars())
