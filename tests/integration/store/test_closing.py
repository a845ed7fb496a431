"""Closed when the follow-up is over, by a person or by time, and opened again."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.demo import resources as demo
from gateway.domain import hooks
from gateway.domain.errors import Conflict, Permanent, Unprocessable
from gateway.domain.work import JobKind, RetryPolicy
from gateway.services import (
    closing,
    delivery_control,
    job_control,
)
from gateway.services.story import case_story
from gateway.store import deliveries
from tests.integration.store.finished import DAY, KEEP_DAYS, PDF, Clinic, current, until_closed
from tests.integration.store.stage import update


def test_a_closed_case_takes_nothing_new_until_it_is_opened_again(clinic: Clinic) -> None:
    case_id = clinic.finished()
    closing.close(clinic.stage.core, case_id, reason="the patient is content", actor="nurse")
    order = current(clinic, "ServiceRequest", case_id)
    with pytest.raises(Unprocessable, match="the case is closed; send a new order"):
        clinic.stage.post(update(order, priority="urgent"))
    patient = f"Patient/{clinic.case(case_id).patient_id}"
    with pytest.raises(Unprocessable, match="the case is closed"):
        clinic.stage.post(demo.document(patient, f"ServiceRequest/{case_id}", PDF))
    with pytest.raises(Unprocessable, match="the case is closed"):
        clinic.report(case_id, "another")

    closing.reopen(clinic.stage.core, case_id, actor="nurse")
    assert clinic.case(case_id).closed_at is None
    clinic.stage.post(update(order, priority="urgent"))
    clinic.later(29 * DAY)
    assert clinic.case(case_id).state == "open"
    clinic.later(2 * DAY)
    assert clinic.case(case_id).state == "closed"


def test_a_case_that_was_opened_again_is_followed_up_as_long_as_before(clinic: Clinic) -> None:
    case_id = clinic.finished()
    until_closed(clinic)
    clinic.later(10 * DAY)
    closing.reopen(clinic.stage.core, case_id, actor="nurse")
    clinic.later(29 * DAY)
    assert clinic.case(case_id).state == "open"
    clinic.later(2 * DAY)
    assert clinic.case(case_id).state == "closed"


def test_what_the_clinic_closed_only_the_clinic_opens(clinic: Clinic) -> None:
    case_id = clinic.finished()
    clinic.stage.post(update(current(clinic, "ServiceRequest", case_id), status="completed"))
    with pytest.raises(Conflict, match="the order is completed; the clinic opens"):
        closing.reopen(clinic.stage.core, case_id, actor="nurse")
    clinic.stage.post(update(current(clinic, "ServiceRequest", case_id), status="active"))
    assert clinic.case(case_id).state == "open"


def test_a_cancelled_delivery_keeps_no_case_open(clinic: Clinic) -> None:
    case_id = clinic.order()
    with clinic.stage.core.database.read() as connection:
        opened = deliveries.listed(connection, case_id=case_id)
    for one in opened:
        delivery_control.cancel(clinic.stage.core, one.id, actor="nurse")
    clinic.stage.work()  # the document's turn had come with the end of the images
    closing.close(clinic.stage.core, case_id, reason="withdrawn", actor="nurse")
    assert clinic.case(case_id).state == "closed"


@pytest.fixture
def hasty(clinic: Clinic) -> Clinic:
    """The workers try a job twice."""
    clinic.stage.core = replace(clinic.stage.core, retry=RetryPolicy(max_attempts=2))
    return clinic


def test_a_case_that_cannot_be_destroyed_holds_back_no_other_and_says_why(hasty: Clinic) -> None:
    pdfs = [b"%PDF-1.7 of one", b"%PDF-1.7 of another"]
    broken, whole = (hasty.finished(pdf) for pdf in pdfs)
    digest = hashlib.sha256(pdfs[0]).hexdigest()
    path = hasty.stage.spool.parent / "blobs" / digest[:2] / digest
    path.unlink()
    path.symlink_to(path.name)  # the disk cannot say what is there
    until_closed(hasty)
    hasty.later((KEEP_DAYS + 1) * DAY)
    assert hasty.case(broken).destroyed_at is None
    assert hasty.case(whole).destroyed_at is not None
    [wait] = case_story(hasty.stage.core, broken).waits
    assert "retention" in wait.what
    assert wait.who == "nobody: the workers"

    hasty.later(4 * DAY)  # what is outside of us, as blobs are, is given until then
    [stopped] = job_control.stopped_jobs(hasty.stage.core, limit=9)
    assert (stopped.kind, stopped.subject_id, stopped.case_id) == (JobKind.RETENTION, broken, broken)
    [wait] = case_story(hasty.stage.core, broken).waits
    assert f"consilium job retry {stopped.id}" in wait.who
    path.unlink()
    path.write_bytes(pdfs[0])
    job_control.retry(hasty.stage.core, stopped.id, actor="admin")
    hasty.stage.work()
    assert hasty.case(broken).destroyed_at is not None
    assert case_story(hasty.stage.core, broken).waits == ()


def _close_where(clinic: Clinic, error: Exception, *, is_met: Callable[[int], bool]) -> list[str]:
    """Two finished cases in their order, after attempts at closing them of which those met with the error."""
    case_ids = sorted(clinic.finished(pdf) for pdf in (b"%PDF-1.7 of one", b"%PDF-1.7 of another"))
    attempts: list[str] = []

    def fail(name: str) -> None:
        if name == "case.close-due.before_commit":
            attempts.append(name)
            if is_met(len(attempts)):
                raise error

    hooks.observe(fail)
    try:
        until_closed(clinic)
    finally:
        hooks.forget(fail)
    return case_ids


def test_a_case_that_cannot_be_closed_holds_back_no_other_and_says_why(clinic: Clinic) -> None:
    refused, other = _close_where(clinic, Permanent("no"), is_met=lambda attempt: attempt in (1, 3))
    assert [clinic.case(one).state for one in (refused, other)] == ["open", "closed"]
    [stopped] = job_control.stopped_jobs(clinic.stage.core, limit=9)
    assert (stopped.kind, stopped.case_id) == (JobKind.CASE_CLOSING, refused)
    assert f"consilium job retry {stopped.id}" in str(case_story(clinic.stage.core, refused).waits)
    job_control.retry(clinic.stage.core, stopped.id, actor="admin")
    clinic.stage.work()
    assert clinic.case(refused).state == "closed"


def test_a_fault_of_ours_in_closing_one_case_holds_back_no_other_either(clinic: Clinic) -> None:
    case_ids = _close_where(clinic, KeyError("a fault of ours"), is_met=lambda attempt: attempt == 1)
    assert [clinic.case(one).state for one in case_ids] == ["closed"] * 2
    assert job_control.stopped_jobs(clinic.stage.core, limit=9) == []
