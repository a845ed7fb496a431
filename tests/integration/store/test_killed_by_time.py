"""What the workers do by time alone is killed (SIGKILL) at its hooks and done again; the end is the same, once."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState, Flow
from gateway.domain.errors import Transient
from gateway.domain.work import QUEUES, RECURRING, JobKind, RetryPolicy
from gateway.services import closing, listing
from gateway.services.recurring import begin_recurring
from gateway.store import audit, deliveries, outbox, resource_index, tables, workers
from tests.acceptance.kill_points import BY_TIME, hooks
from tests.forked import kill_at, on_its_databases
from tests.integration.store.finished import DAY, KEEP_DAYS, Clinic
from tests.integration.store.stage import Stage
from workers.presence import Presence
from workers.relay import Relay

_LEASE_OVER = timedelta(seconds=RetryPolicy().lease_s * 2)
End = Callable[[], None]
"""Asserts how it has to end, once it was done again."""


def _recheck(clinic: Clinic) -> End:
    data, stage = clinic.stage.case_data(), clinic.stage
    bundle = demo.clinic_bundle(data, b"%PDF-1.7", (Flow.DISCLOSE_TO_REVIEWER,))
    [consent] = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Consent"]
    consent["provision"]["period"] = {"end": (stage.core.now() + DAY).isoformat(timespec="seconds")}
    case_id = clinic.order(bundle, data=data)
    stage.ahead += 2 * DAY

    def ended() -> None:
        with stage.core.database.read() as connection:
            opened = deliveries.listed(connection, case_id=case_id)
            assert [one.state for one in opened] == [DeliveryState.HELD] * 2
            made = [row.outcome for row in deliveries.decisions(connection, case_id) if row.stage == "recheck"]
            assert made == ["deny"] * 2

    return ended


def _close(clinic: Clinic) -> End:
    case_id = clinic.finished()
    clinic.stage.ahead += 31 * DAY
    return lambda: _once(clinic, case_id, "case.close")


def _destroy(clinic: Clinic) -> End:
    case_id = clinic.finished()
    clinic.later(31 * DAY)
    clinic.stage.ahead += (KEEP_DAYS + 1) * DAY

    def ended() -> None:
        _once(clinic, case_id, "case.destroyed")
        assert len(listing.destructions(clinic.stage.core, case_id=case_id, limit=99)) == 16

    return ended


def _index(clinic: Clinic) -> End:
    """As the previous version leaves what it stores."""
    clinic.finished()
    with clinic.stage.core.database.write("test") as connection:
        connection.execute(update(tables.resource).values(indexed_version=None))
    clinic.stage.ahead += DAY

    def ended() -> None:
        with clinic.stage.core.database.read() as connection:
            assert resource_index.first_waiting(connection) is None

    return ended


def _come_again(clinic: Clinic) -> End:
    clinic.stage.work()
    clinic.stage.ahead += DAY
    return lambda: None


def _once(clinic: Clinic, case_id: str, action: str) -> None:
    with clinic.stage.core.database.read() as connection:
        assert len(audit.of_case(connection, case_id, actions=[action])) == 1


JOBS: Mapping[str, Callable[[Clinic], End]] = {
    "case.recheck commit": _recheck,
    "case.close-due commit": _close,
    "fhir.index commit": _index,
    "retention.begin commit": _destroy,
    "retention.blobs commit": _destroy,
    "retention.case commit": _destroy,
    "schedule.next commit": _come_again,
}


def test_each_hook_has_its_test() -> None:
    assert {*JOBS, "schedule.apart commit", "schedule.begin commit", "relay.unring commit", *_PRESENCE} == set(BY_TIME)


@on_its_databases
@pytest.mark.parametrize(("point", "hook"), [(point, hook) for point in JOBS for hook in hooks((point,))])
def test_a_job_that_was_killed_ends_as_one_that_was_not(clinic: Clinic, point: str, hook: str) -> None:
    stage, ended = clinic.stage, JOBS[point](clinic)
    kill_at(hook, stage.work, database=stage.core.database)
    clinic.later(_LEASE_OVER)
    ended()
    with stage.core.database.read() as connection:
        for kind in RECURRING:
            of_kind = select(tables.outbox.c.state).where(tables.outbox.c.kind == kind)
            assert list(connection.execute(of_kind.where(tables.outbox.c.state != "done")).scalars()) == ["pending"]


@on_its_databases
@pytest.mark.parametrize("hook", hooks(("schedule.apart commit",)))
def test_a_case_that_fails_is_set_apart_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, hook: str) -> None:
    def fail(*_case: object) -> bool:
        raise Transient("something outside is away")

    case_id, stage = clinic.finished(), clinic.stage
    stage.ahead += 31 * DAY
    with monkeypatch.context() as patched:
        patched.setattr(closing, "_is_over", fail)
        kill_at(hook, stage.work, database=stage.core.database)
        clinic.later(_LEASE_OVER)
        rows = select(tables.outbox).where(tables.outbox.c.kind == JobKind.CASE_CLOSING)
        with stage.core.database.read() as connection:
            assert len(list(connection.execute(rows.where(tables.outbox.c.subject_id == case_id)))) == 1
    clinic.later(DAY)
    _once(clinic, case_id, "case.close")


@on_its_databases
@pytest.mark.parametrize("hook", hooks(("schedule.begin commit",)))
def test_recurring_work_is_begun_once(stage: Stage, hook: str) -> None:
    kill_at(hook, lambda: begin_recurring(stage.core), database=stage.core.database)
    begin_recurring(stage.core)
    with stage.core.database.read() as connection:
        assert sorted(connection.execute(select(tables.outbox.c.kind)).scalars()) == sorted(RECURRING)


class _Bell:
    """Tells nobody, as a broker that is away, until it `is_there`."""

    ring_again_after = timedelta(seconds=30)

    def __init__(self) -> None:
        self.is_there = False
        self.told: list[str] = []

    def room(self) -> dict[str, int]:
        return dict.fromkeys(QUEUES.values(), 9)

    def holding(self) -> frozenset[str]:
        return frozenset()

    def dispatch(self, _kind: JobKind, job_id: str) -> bool:
        if self.is_there:
            self.told.append(job_id)
        return self.is_there


@on_its_databases
@pytest.mark.parametrize("hook", hooks(("relay.unring commit",)))
def test_what_was_rung_for_and_told_to_nobody_is_told_later(stage: Stage, hook: str) -> None:
    core, bell = stage.core, _Bell()
    with core.database.write("test") as connection:
        job_id = outbox.enqueue(connection, JobKind.STUDY_SETTLE, "study", case_id=None, now=core.now())
    relay = Relay(core.database, bell, now=core.now, policy=core.destinations, poll_s=9, news=threading.Event())
    kill_at(hook, relay.ring, database=core.database)
    bell.is_there = True
    stage.ahead += bell.ring_again_after * 2
    assert (relay.ring(), bell.told) == (1, [job_id])


_PRESENCE: Mapping[str, Callable[[Presence], None]] = {
    "worker.show commit": Presence.show,
    "worker.leave commit": Presence.leave,
}


@on_its_databases
@pytest.mark.parametrize(("point", "hook"), [(point, hook) for point in _PRESENCE for hook in hooks((point,))])
def test_a_worker_that_dies_as_it_comes_or_goes_is_gone_soon(stage: Stage, point: str, hook: str) -> None:
    core = stage.core

    def shown() -> int:
        with core.database.read() as connection:
            return len(workers.present(connection, core.now()))

    presence, other = (Presence(core.database, now=core.now, queues=["match"], waits_for=lambda: "") for _ in range(2))
    if point == "worker.leave commit":
        presence.show()
    kill_at(hook, lambda: _PRESENCE[point](presence), database=core.database)
    assert shown() == (hook in ("worker.show.after_commit", "worker.leave.before_commit"))
    stage.ahead += timedelta(minutes=1)
    assert shown() == 0
    other.show()
    assert shown() == 1
