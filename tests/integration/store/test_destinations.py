"""A destination takes a bounded number at once, a failing one takes one, and neither holds back the others."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.breaker import Breaker, DestinationPolicy
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, Party, PartyKind
from gateway.domain.work import Job, JobKind
from gateway.store import breakers, doorbell, outbox, parties
from gateway.store.engine import Database
from tests.integration.store.overlap import overlapping

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KIND = JobKind.DELIVERY_SEND
POLICY = DestinationPolicy(in_flight=2, threshold=3, cool_down_s=30)
LOST_AFTER = timedelta(seconds=30)
SLOW, QUICK = "slow", "quick"


@pytest.fixture(autouse=True)
def _destinations(database: Database) -> None:
    with database.write("test") as connection:
        parties.add_party(connection, Party("clinic", PartyKind.CLINIC, "clinic", (), "TR", "UTC"), now=NOW)
        for name in (SLOW, QUICK):
            endpoint = Endpoint(name, name, "clinic", EndpointRole.PACS, dicom=DicomAddress(name.upper(), "h", 104))
            parties.add_endpoint(connection, endpoint, now=NOW)


def _enqueue(database: Database, endpoint_id: str, number: int) -> list[str]:
    """The oldest first."""

    def one(n: int) -> str:
        due_at = NOW - timedelta(seconds=number - n)
        subject = f"{endpoint_id}-{n}"
        return outbox.enqueue(connection, KIND, subject, case_id=None, now=NOW, due_at=due_at, endpoint_id=endpoint_id)

    with database.write("test") as connection:
        return [one(n) for n in range(number)]


def _due(database: Database, limit: int = 10, now: datetime = NOW, holding: tuple[str, ...] = ()) -> list[str]:
    with database.read() as connection:
        room = {"deliver": limit}
        found = doorbell.due(connection, now, room=room, policy=POLICY, ring_again_after=LOST_AFTER, holding=holding)
    return [job_id for job_id, _ in found]


def _claim(database: Database, job_id: str, now: datetime = NOW) -> Job | None:
    with database.write("test") as connection:
        return outbox.claim(connection, job_id, owner=job_id, now=now, lease_s=60, policy=POLICY)


def _break(database: Database, endpoint_id: str, probe_at: datetime) -> None:
    with database.write("test") as connection:
        breakers.lock(connection, endpoint_id)
        breakers.keep(connection, endpoint_id, Breaker(3, NOW, probe_at))


def test_many_rows_of_one_destination_leave_room_for_another(database: Database) -> None:
    slow, quick = _enqueue(database, SLOW, 9), _enqueue(database, QUICK, 2)
    assert set(_due(database, limit=4)) == {*slow[:2], *quick}


def test_destinations_take_turns_however_old_their_rows_are(database: Database) -> None:
    slow, quick = _enqueue(database, SLOW, 9), _enqueue(database, QUICK, 2)
    assert _due(database, limit=2) == [slow[0], quick[0]]
    assert _claim(database, slow[0]) is not None
    assert _due(database, limit=1) == [quick[0]], "what is on its way counts"


def test_more_rows_than_are_looked_at_hide_no_other_destination(database: Database) -> None:
    slow, quick = _enqueue(database, SLOW, 600), _enqueue(database, QUICK, 1)
    assert _due(database) == [slow[0], *quick, slow[1]]


def test_more_rows_than_are_looked_at_hide_no_other_kind(database: Database) -> None:
    with database.write("test") as connection:
        for n in range(600):
            early = NOW - timedelta(seconds=1000 - n)
            outbox.enqueue(connection, JobKind.STUDY_SETTLE, f"study-{n}", case_id=None, now=NOW, due_at=early)
    [quick] = _enqueue(database, QUICK, 1)
    with database.read() as connection:
        room = {"match": 3, "deliver": 3}
        found = doorbell.due(connection, NOW, room=room, policy=POLICY, ring_again_after=LOST_AFTER)
    assert [kind for _, kind in found] == [JobKind.STUDY_SETTLE] * 3 + [KIND]
    assert found[-1] == (quick, KIND)


def test_a_destination_that_is_full_is_passed_over(database: Database) -> None:
    slow, quick = _enqueue(database, SLOW, 4), _enqueue(database, QUICK, 1)
    for job_id in slow[:2]:
        assert _claim(database, job_id) is not None
    assert _due(database) == quick
    assert _claim(database, slow[2]) is None
    with database.write("test") as connection:
        for job_id in slow[:2]:
            job = Job(job_id, KIND, "", None, 1, 0, NOW, job_id)
            assert outbox.settle(connection, job, now=NOW)
    assert set(_due(database)) == {*slow[2:], *quick}


@pytest.mark.parametrize("is_held_here", [True, False], ids=["in this process", "by a message"])
def test_what_was_told_and_is_not_claimed_yet_counts(database: Database, is_held_here: bool) -> None:
    slow = _enqueue(database, SLOW, 3)
    if not is_held_here:
        with database.write("test") as connection:
            doorbell.rung(connection, slow[:2], NOW)
    assert _due(database, holding=tuple(slow[:2]) if is_held_here else ()) == []


def test_a_failing_destination_is_left_alone_and_then_looked_at_by_one(database: Database) -> None:
    slow = _enqueue(database, SLOW, 3)
    probe_at = NOW + timedelta(seconds=30)
    _break(database, SLOW, probe_at)
    assert _due(database) == []
    assert _claim(database, slow[0]) is None
    assert _due(database, now=probe_at) == slow[:1]
    assert _claim(database, slow[0], probe_at) is not None
    assert _claim(database, slow[1], probe_at) is None
    assert _due(database, now=probe_at + timedelta(seconds=1)) == []


def test_a_claim_that_was_refused_is_not_taken_for_told(database: Database) -> None:
    slow = _enqueue(database, SLOW, 1)
    with database.write("test") as connection:
        doorbell.rung(connection, slow, NOW)
    _break(database, SLOW, NOW + timedelta(seconds=5))
    assert _claim(database, slow[0]) is None
    assert _due(database, now=NOW + timedelta(seconds=5)) == slow


def test_two_workers_that_claim_at_once_do_not_exceed_the_limit(database: Database) -> None:
    first, second, third = _enqueue(database, SLOW, 3)
    assert _claim(database, first) is not None
    claimed = overlapping(database, lambda: _claim(database, second), lambda: _claim(database, third))
    assert [job is not None for job in claimed] == [True, False]


def test_a_queue_without_room_holds_back_no_other(database: Database) -> None:
    slow = _enqueue(database, SLOW, 2)
    with database.write("test") as connection:
        outbox.enqueue(connection, JobKind.STUDY_RELEASE, "study", case_id=None, now=NOW - timedelta(hours=1))
        room = {"deidentify": 0, "deliver": 9}
        found = doorbell.due(connection, NOW, room=room, policy=POLICY, ring_again_after=LOST_AFTER)
    assert [job_id for job_id, _ in found] == slow
