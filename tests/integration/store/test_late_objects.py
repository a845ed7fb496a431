"""What came for a case that was closed: kept until a person has said what becomes of it."""

import pytest
from sqlalchemy import update as update_rows

from gateway.domain import hooks
from gateway.domain.errors import Conflict
from gateway.domain.work import JobKind, JobState
from gateway.services import (
    closing,
    job_control,
    listing,
    retention,
    second_look,
)
from gateway.services.intake import receive
from gateway.services.story import case_story
from gateway.store import outbox, studies, tables
from tests.integration.store.finished import DAY, KEEP_DAYS, Clinic, current, destroyed
from tests.peers.generated import ct_series


def _one_more_object(clinic: Clinic, case_id: str, number: int) -> str:
    """A further object of the case's study arrives and the study goes quiet; gives the study's id."""
    study_id = _arriving(clinic, case_id, number)
    clinic.later(clinic.stage.core.quiet_period * 2)
    return study_id


def _arriving(clinic: Clinic, case_id: str, number: int) -> str:
    """A further object of the case's study is there, and nobody has looked at it yet; gives the study's id."""
    with clinic.stage.core.database.read() as connection:
        [study] = studies.listed(connection, case_id=case_id)
    uid, accession = study.study_instance_uid, study.accession_number
    *_, further = ct_series(slices=number, study_instance_uid=uid, accession=accession)
    receive(clinic.stage.core, clinic.stage.arrival(further))
    return study.id


def test_what_came_for_a_closed_case_is_not_destroyed_before_a_person_has_said_so(clinic: Clinic) -> None:
    case_id, core = clinic.finished(), clinic.stage.core
    closing.close(core, case_id, reason="done", actor="nurse")
    study_id = _one_more_object(clinic, case_id, 3)
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert destroyed(clinic, case_id) == {}
    [wait] = case_story(core, case_id).waits
    assert f"objects of study {study_id} came when the case was closed" in wait.what
    assert f"consilium study leave-out {study_id}" in wait.who
    assert f"consilium case reopen {case_id}" in wait.who
    assert f"consilium study leave-out {study_id}" in listing.study_line(core, study_id).waits_for

    second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")
    assert (case_story(core, case_id).waits, listing.study_line(core, study_id).waits_for) == ((), "")
    with pytest.raises(Conflict, match="nothing of study"):
        second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")
    _one_more_object(clinic, case_id, 4)
    clinic.later(DAY)
    assert destroyed(clinic, case_id) == {}
    second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")
    clinic.later(DAY)
    assert destroyed(clinic, case_id)["image"] == 4
    assert [one.what for one in case_story(core, case_id).stations].count("what came too late left out") == 2


def test_what_came_for_a_closed_case_is_kept_where_the_look_at_it_gave_up(clinic: Clinic) -> None:
    """Nothing says yet that it came too late: the job that would have said so is dead."""
    case_id, core = clinic.finished(), clinic.stage.core
    closing.close(core, case_id, reason="done", actor="nurse")
    study_id = _arriving(clinic, case_id, 3)
    with core.database.write("test") as connection:
        settling = outbox.unsettled(connection, JobKind.STUDY_SETTLE, study_id)
        assert settling is not None
        dead = {"state": JobState.DEAD, "settled_at": core.now(), "last_error": "Permanent: no room"}
        connection.execute(update_rows(tables.outbox).where(tables.outbox.c.id == settling.id).values(dead))
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert destroyed(clinic, case_id) == {}
    [job] = job_control.stopped_jobs(core, limit=9)
    job_control.retry(core, job.id, actor="nurse")
    clinic.later(DAY)
    assert destroyed(clinic, case_id) == {}
    second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")
    clinic.later(DAY)
    assert destroyed(clinic, case_id)["image"] == 3


def test_a_case_that_may_not_be_destroyed_yet_costs_no_write(clinic: Clinic) -> None:
    case_id, core = clinic.finished(), clinic.stage.core
    closing.close(core, case_id, reason="done", actor="nurse")
    _one_more_object(clinic, case_id, 3)
    clinic.stage.ahead += (KEEP_DAYS + 1) * DAY
    reached: list[str] = []
    hooks.observe(reached.append)
    try:
        assert not retention.destroy(core, case_id, keep=KEEP_DAYS * DAY)
    finally:
        hooks.forget(reached.append)
    assert reached == []


def test_what_was_left_out_is_taken_up_when_the_case_is_opened_again(clinic: Clinic) -> None:
    case_id, core = clinic.finished(), clinic.stage.core
    closing.close(core, case_id, reason="done", actor="nurse")
    study_id = _one_more_object(clinic, case_id, 3)
    second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")
    closing.reopen(core, case_id, actor="nurse")
    clinic.later(clinic.stage.core.quiet_period)
    assert current(clinic, "ImagingStudy", study_id).content["numberOfInstances"] == 3
    with pytest.raises(Conflict, match="nothing of study"):
        second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")


def test_a_second_look_at_a_closed_case_calls_nothing_late_that_was_there(clinic: Clinic) -> None:
    case_id, core = clinic.finished(), clinic.stage.core
    closing.close(core, case_id, reason="done", actor="nurse")
    with core.database.write("test") as connection:
        [study] = studies.listed(connection, case_id=case_id)
        outbox.enqueue(connection, JobKind.STUDY_SETTLE, study.id, case_id=None, now=core.now())
    clinic.later(clinic.stage.core.quiet_period * 2)
    assert case_story(core, case_id).waits == ()
