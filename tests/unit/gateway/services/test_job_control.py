"""Work that gave up is shown where a person looks, and one command begins it again."""

import pytest
from sqlalchemy import select

from gateway.domain.errors import NotFound
from gateway.domain.work import JobKind
from gateway.services import job_control, listing
from gateway.services.work import run_job
from gateway.store import outbox
from gateway.store.tables import audit
from tests.unit.gateway.services.scenery import Scenery


def _stopped(scenery: Scenery) -> list[str]:
    return [one.id for one in job_control.stopped_jobs(scenery.core, limit=10)]


@pytest.mark.parametrize("state", ["receiving", "matched"])
def test_a_settle_that_gave_up_is_a_wait_of_its_case_and_its_study(scenery: Scenery, state: str) -> None:
    study_id = scenery.study(state)
    job_id = scenery.stop(JobKind.STUDY_SETTLE, study_id, "Permanent: no room")
    remedy = f"consilium job retry {job_id}"
    assert scenery.waits()["study-settle, which gave up: Permanent: no room"] == f"an administrator: {remedy}"
    assert "the study to go quiet" not in scenery.waits()
    assert "the study" not in scenery.waits()
    assert listing.study_line(scenery.core, study_id).waits_for == f"{remedy}: study-settle gave up: Permanent: no room"
    [job] = job_control.stopped_jobs(scenery.core, limit=10)
    assert (job.kind, job.subject_id, job.case_id, job.stopped_at) == ("study-settle", study_id, "", scenery.clock())


def test_a_study_without_any_case_shows_it_too(scenery: Scenery) -> None:
    study_id = scenery.study("unmatched")
    job_id = scenery.stop(JobKind.STUDY_SETTLE, study_id)
    assert f"consilium job retry {job_id}" in listing.study_line(scenery.core, study_id).waits_for


def test_a_job_that_gave_up_is_a_wait_of_its_own_study_alone(scenery: Scenery) -> None:
    scenery.stop(JobKind.STUDY_SETTLE, "another")
    assert listing.study_line(scenery.core, scenery.study()).waits_for == "the study to go quiet"


def test_retry_gives_it_all_its_attempts_and_is_audited(scenery: Scenery) -> None:
    study_id = scenery.study()
    job_id = scenery.stop(JobKind.STUDY_SETTLE, study_id)
    scenery.clock.forward(hours=1)
    job_control.retry(scenery.core, job_id, actor="cli:test")
    assert _stopped(scenery) == []
    with scenery.core.database.read() as connection:
        row = connection.execute(select(audit).where(audit.c.action == "job.retry")).one()
    assert (row.actor, row.subject, row.details["of"]) == ("cli:test", f"job/{job_id}", study_id)
    seen: list[int] = []
    assert run_job(scenery.core, job_id, {JobKind.STUDY_SETTLE: lambda job: seen.append(job.attempt)})
    assert seen == [1]
    with pytest.raises(NotFound, match="consilium job list"):
        job_control.retry(scenery.core, job_id, actor="cli:test")


def test_a_later_job_takes_the_place_of_one_that_gave_up(scenery: Scenery) -> None:
    study_id = scenery.study()
    job_id = scenery.stop(JobKind.STUDY_SETTLE, study_id)
    scenery.clock.forward(minutes=1)
    later = scenery.claimed(JobKind.STUDY_SETTLE, study_id)
    assert _stopped(scenery) == []
    with scenery.core.database.write("test") as connection:
        outbox.settle(connection, later, now=scenery.clock())
    assert _stopped(scenery) == []
    with pytest.raises(NotFound):
        job_control.retry(scenery.core, job_id, actor="cli:test")


def test_a_sending_that_failed_is_shown_by_its_delivery_alone(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    scenery.stop(JobKind.DELIVERY_SEND, delivery.id)
    assert _stopped(scenery) == []
    [who] = [who for what, who in scenery.waits().items() if what.startswith("study-to-reviewer")]
    assert who == f"an administrator: consilium delivery retry {delivery.id}"


def test_the_list_ends_where_it_is_told_to(scenery: Scenery) -> None:
    study_id = scenery.study()
    first = scenery.stop(JobKind.STUDY_SETTLE, study_id)
    scenery.clock.forward(minutes=1)
    second = scenery.stop(JobKind.STUDY_RELEASE, study_id)
    assert _stopped(scenery) == [first, second]
    assert [one.id for one in job_control.stopped_jobs(scenery.core, limit=1)] == [first]
