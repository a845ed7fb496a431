"""Recurring work has one row of each kind, whatever begins it or puts it back at once."""

from functools import partial

import pytest
from sqlalchemy import Row, select

from gateway.domain.work import RECURRING, JobKind
from gateway.services.recurring import begin_recurring, put_back
from gateway.store.tables import outbox
from tests.integration.store.finished import DAY, Clinic
from tests.integration.store.overlap import overlapping
from tests.integration.store.stage import Stage


@pytest.fixture
def clinic(stage: Stage) -> Clinic:
    return Clinic(stage)


def _rows(stage: Stage, kind: JobKind, *states: str) -> list[Row[tuple[str, str]]]:
    with stage.core.database.read() as connection:
        query = select(outbox).where(outbox.c.kind == kind).order_by(outbox.c.created_at)
        return list(connection.execute(query.where(outbox.c.state.in_(states)) if states else query))


def test_two_workers_that_start_at_once_begin_it_once(stage: Stage) -> None:
    begin = partial(begin_recurring, stage.core)
    overlapping(stage.core.database, begin, begin)
    assert [len(_rows(stage, kind)) for kind in RECURRING] == [1] * len(RECURRING)


def test_two_that_put_it_back_at_once_leave_one_row(stage: Stage) -> None:
    again = partial(put_back, stage.core, JobKind.RETENTION, is_more=False)
    overlapping(stage.core.database, again, again)
    assert len(_rows(stage, JobKind.RETENTION)) == 1


@pytest.mark.parametrize("kind", RECURRING)
def test_a_machine_that_slept_a_day_does_it_once_and_counts_from_then(clinic: Clinic, kind: JobKind) -> None:
    stage = clinic.stage
    stage.work()
    [before] = _rows(stage, kind, "pending")
    stage.ahead += DAY
    stage.work()
    [after] = _rows(stage, kind, "pending")
    assert after.id != before.id
    assert after.next_try_at > stage.core.now() + RECURRING[kind] * 0.9
    assert len(_rows(stage, kind)) == 2  # what was done last, and what comes


def test_a_worker_that_starts_while_it_runs_or_waits_adds_nothing(clinic: Clinic) -> None:
    clinic.stage.work()
    begin_recurring(clinic.stage.core)
    assert len(_rows(clinic.stage, JobKind.RETENTION, "pending", "claimed")) == 1
