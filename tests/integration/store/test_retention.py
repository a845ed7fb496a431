"""Closed when the follow-up is over, destroyed when it was kept long enough, and never anything else."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from gateway.demo import resources as demo
from gateway.domain import hooks
from gateway.domain.destruction import RetentionPolicy
from gateway.domain.errors import Conflict, Gone, Permanent, Unprocessable
from gateway.domain.resource import StoredResource
from gateway.domain.work import JobKind, RetryPolicy
from gateway.services import (
    closing,
    delivery_control,
    documents,
    job_control,
    legal_hold,
    listing,
    resource_reading,
    retention,
    second_look,
)
from gateway.services.intake import receive
from gateway.services.story import case_story
from gateway.services.sweeping import sweep
from gateway.services.tokens import Caller
from gateway.store import audit, cases, deliveries, outbox, recalls, resources, studies, tables
from tests.integration.store.finished import DAY, PDF, Clinic
from tests.integration.store.stage import Stage, update
from tests.peers.generated import AYSE, ct_series

KEEP_DAYS = 100


@pytest.fixture
def clinic(stage: Stage) -> Clinic:
    stage.policy = RetentionPolicy.of_days(close_after_days=30, keep_days=KEEP_DAYS)
    return Clinic(stage)


def _until_closed(clinic: Clinic) -> None:
    clinic.later(31 * DAY)


def _everything(clinic: Clinic) -> str:
    """All rows of the database but those that name what was destroyed, as text."""
    with clinic.stage.core.database.read() as connection:
        rows = {one.name: connection.execute(select(one)).all() for one in tables.metadata.sorted_tables}
    return json.dumps({name: [str(tuple(row)) for row in found] for name, found in rows.items()}, ensure_ascii=False)


def _swept(clinic: Clinic) -> set[str]:
    """The blobs that are left after the sweeper has looked, an hour later."""
    core = clinic.stage.core
    sweep(core, clinic.stage.spool, min_age=DAY / 24)
    return set(core.blobs.digests())


def _destroyed(clinic: Clinic, case_id: str) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for one in listing.destructions(clinic.stage.core, case_id=case_id, limit=1000):
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
        assert one.size_bytes > 0
        assert one.reason == f"retention.keep_days = {KEEP_DAYS} after the case was closed"
    return kinds


def test_a_finished_case_is_closed_then_kept_then_destroyed_with_a_record_of_each_thing(clinic: Clinic) -> None:
    case_id = clinic.finished()
    clinic.later(29 * DAY)
    assert clinic.case(case_id).state == "open"
    clinic.later(2 * DAY)
    assert clinic.case(case_id).state == "closed"

    clinic.later((KEEP_DAYS - 1) * DAY)
    before = _everything(clinic)
    assert _destroyed(clinic, case_id) == {}
    assert AYSE.patient_id in before
    clinic.later(2 * DAY)

    assert clinic.case(case_id).destroyed_at is not None
    assert _destroyed(clinic, case_id) == {
        "image": 2, "payload": 3, "document": 1, "rendition-pdf": 1, "rendition-html": 1,
        "ServiceRequest": 1, "ImagingStudy": 1, "DocumentReference": 1, "DiagnosticReport": 1, "Composition": 1,
        "Patient": 1, "Consent": 2,
    }  # fmt: skip
    after = _everything(clinic)
    for told in (AYSE.patient_id, AYSE.family, str(AYSE.birth_date)):
        assert told not in after
    assert _swept(clinic) == set()


def test_what_proves_it_remains_and_a_second_time_changes_nothing(clinic: Clinic) -> None:
    case_id = clinic.finished()
    core = clinic.stage.core
    with core.database.write("test") as connection:
        audit.seal(connection, now=core.now())
    _until_closed(clinic)
    clinic.later((KEEP_DAYS + 1) * DAY)
    with core.database.write("test") as connection:
        audit.seal(connection, now=core.now())
        assert audit.verify(connection).broken_at is None
        assert len(deliveries.decisions(connection, case_id)) >= 3
        assert len(deliveries.receipts(connection, case_id)) == 4
        [row] = audit.of_case(connection, case_id, actions=["case.destroyed"])
    records = listing.destructions(core, case_id=case_id, limit=1000)
    assert row.details["things"] == len(records)
    clinic.later(DAY)
    assert listing.destructions(core, case_id=case_id, limit=1000) == records
    told = [one.what for one in case_story(core, case_id).stations]
    assert [what for what in told if what in ("case closed", "content destroyed")] == [
        "case closed",
        "content destroyed",
    ]


def test_what_was_destroyed_is_gone_for_its_clinic_and_can_be_ordered_anew(clinic: Clinic) -> None:
    case_id = clinic.finished()
    _until_closed(clinic)
    clinic.later((KEEP_DAYS + 1) * DAY)
    core, caller = clinic.stage.core, Caller("client", clinic.stage.clinic)
    for version in (None, 1):
        with pytest.raises(Gone, match="was destroyed on"):
            resource_reading.read(core.database, caller, "ServiceRequest", case_id, now=core.now(), version=version)
    with pytest.raises(Conflict, match="was destroyed"):
        closing.reopen(core, case_id, actor="nurse")
    again = clinic.finished()
    assert again != case_id
    assert clinic.case(again).destroyed_at is None


def test_the_same_study_that_comes_again_begins_anew(clinic: Clinic) -> None:
    data, stage = clinic.stage.case_data(), clinic.stage
    series = ct_series(slices=1, study_instance_uid=data.study_instance_uid, accession=data.accession_number)
    first = clinic.finished()
    with stage.core.database.read() as connection:
        [old] = studies.listed(connection, case_id=first)
    _until_closed(clinic)
    clinic.later((KEEP_DAYS + 1) * DAY)
    for ds in series:
        ds.StudyInstanceUID = old.study_instance_uid
        receive(stage.core, stage.arrival(ds))
    with stage.core.database.read() as connection:
        [new] = [one for one in studies.listed(connection) if one.study_instance_uid == old.study_instance_uid]
        assert studies.by_id(connection, old.id).destroyed_at is not None
    assert (new.case_id, new.destroyed_at) == (None, None)


def test_a_legal_hold_keeps_everything_until_it_ends(clinic: Clinic) -> None:
    case_id = clinic.finished()
    legal_hold.hold(clinic.stage.core, case_id, reason="a court asks", actor="officer")
    _until_closed(clinic)
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert _destroyed(clinic, case_id) == {}
    assert case_story(clinic.stage.core, case_id).legal_hold == "a court asks"
    legal_hold.unhold(clinic.stage.core, case_id, actor="officer")
    clinic.later(DAY)
    assert clinic.case(case_id).destroyed_at is not None


def test_what_is_undelivered_is_neither_closed_nor_destroyed(clinic: Clinic) -> None:
    case_id = clinic.order()
    with pytest.raises(Conflict, match=r"is not finished: study-to-reviewer \S+ is pending"):
        closing.close(clinic.stage.core, case_id, reason="done", actor="nurse")
    clinic.arrive(case_id)
    clinic.report(case_id)
    with clinic.stage.core.database.read() as connection:
        order = resources.current(connection, clinic.stage.clinic.id, "ServiceRequest", case_id)
    clinic.stage.post(update(order, status="completed"))
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert clinic.case(case_id).state == "closed"
    assert _destroyed(clinic, case_id) == {}
    clinic.arrive(case_id)
    clinic.later(DAY)
    assert _destroyed(clinic, case_id)["image"] == 2


def _one_more_object(clinic: Clinic, case_id: str, number: int) -> str:
    """A further object of the case's study arrives and the study goes quiet; gives the study's id."""
    with clinic.stage.core.database.read() as connection:
        [study] = studies.listed(connection, case_id=case_id)
    uid, accession = study.study_instance_uid, study.accession_number
    *_, further = ct_series(slices=number, study_instance_uid=uid, accession=accession)
    receive(clinic.stage.core, clinic.stage.arrival(further))
    clinic.later(clinic.stage.core.quiet_period * 2)
    return study.id


def test_what_came_for_a_closed_case_is_not_destroyed_before_a_person_has_said_so(clinic: Clinic) -> None:
    case_id, core = clinic.finished(), clinic.stage.core
    closing.close(core, case_id, reason="done", actor="nurse")
    study_id = _one_more_object(clinic, case_id, 3)
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert _destroyed(clinic, case_id) == {}
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
    assert _destroyed(clinic, case_id) == {}
    second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")
    clinic.later(DAY)
    assert _destroyed(clinic, case_id)["image"] == 4
    assert [one.what for one in case_story(core, case_id).stations].count("what came too late left out") == 2


def test_what_was_left_out_is_taken_up_when_the_case_is_opened_again(clinic: Clinic) -> None:
    case_id, core = clinic.finished(), clinic.stage.core
    closing.close(core, case_id, reason="done", actor="nurse")
    study_id = _one_more_object(clinic, case_id, 3)
    second_look.leave_out(core, study_id, reason="sent twice", actor="nurse")
    closing.reopen(core, case_id, actor="nurse")
    clinic.later(clinic.stage.core.quiet_period)
    assert _current(clinic, "ImagingStudy", study_id).content["numberOfInstances"] == 3
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


def test_what_another_case_needs_stays(clinic: Clinic) -> None:
    """The same patient and consents, and a document of the same bytes."""
    first = clinic.finished()
    _until_closed(clinic)
    second = clinic.order()
    clinic.later((KEEP_DAYS + 1) * DAY)
    gone = _destroyed(clinic, first)
    assert gone["document"] == 1
    assert {"Patient", "Consent"}.isdisjoint(gone)
    left = _swept(clinic)
    with clinic.stage.core.database.read() as connection:
        [document] = cases.documents(connection, case_id=second)
        assert resources.type_of(connection, clinic.stage.clinic.id, clinic.case(second).patient_id) == "Patient"
    assert clinic.stage.core.blobs.get(document.original_sha256) == PDF
    assert document.original_sha256 in left


def test_a_revocation_afterwards_still_asks_back_what_had_left(clinic: Clinic) -> None:
    first = clinic.finished()
    _until_closed(clinic)
    second = clinic.order()
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert clinic.case(first).destroyed_at is not None
    with clinic.stage.core.database.read() as connection:
        patient_id = clinic.case(second).patient_id
        consents = resources.referring(connection, clinic.stage.clinic.id, "Consent", patient_id)
    for consent in sorted(consents, key=lambda one: one.stored_at, reverse=True):  # those of the first order last
        clinic.stage.post(update(consent, status="inactive"))
    with clinic.stage.core.database.read() as connection:
        assert {one.case_id for one in recalls.listed(connection)} == {first}
        recalled = {one.delivery_id for one in recalls.listed(connection, case_id=first)}
        assert recalled == {one.id for one in deliveries.listed(connection, case_id=first)}


def test_a_destroyed_document_is_neither_shown_nor_cleared(clinic: Clinic) -> None:
    case_id = clinic.finished()
    with clinic.stage.core.database.read() as connection:
        [document] = cases.documents(connection, case_id=case_id)
    _until_closed(clinic)
    clinic.later((KEEP_DAYS + 1) * DAY)
    for look in (documents.original, documents.approve, documents.reject):
        with pytest.raises(Gone, match="was destroyed"):
            look(clinic.stage.core, document.id, actor="nurse")


class _Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("hook", ["retention.blobs.before_commit", "retention.blobs.after_commit"])
def test_what_dies_in_the_middle_goes_on_and_records_each_thing_once(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    case_id, core, keep = clinic.finished(), clinic.stage.core, KEEP_DAYS * DAY
    monkeypatch.setattr(retention, "_ROWS_AT_ONCE", 1)
    closing.close(core, case_id, reason="done", actor="nurse")
    clinic.stage.ahead += keep + DAY
    reached: list[str] = []

    def die(name: str) -> None:
        reached.append(name)
        if reached.count(hook) == 3:
            raise _Killed

    hooks.observe(die)
    try:
        with pytest.raises(_Killed):
            retention.destroy(core, case_id, keep=keep)
    finally:
        hooks.forget(die)
    begun = _destroyed(clinic, case_id)
    assert begun == {"image": 2} | ({"payload": 1} if hook.endswith("after_commit") else {})
    with pytest.raises(Conflict, match="was destroyed"):
        closing.reopen(core, case_id, actor="nurse")
    assert retention.destroy(core, case_id, keep=keep)
    assert not retention.destroy(core, case_id, keep=keep)
    assert sum(_destroyed(clinic, case_id).values()) == 16


def test_a_closed_case_takes_nothing_new_until_it_is_opened_again(clinic: Clinic) -> None:
    case_id = clinic.finished()
    closing.close(clinic.stage.core, case_id, reason="the patient is content", actor="nurse")
    order = _current(clinic, "ServiceRequest", case_id)
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
    _until_closed(clinic)
    clinic.later(10 * DAY)
    closing.reopen(clinic.stage.core, case_id, actor="nurse")
    clinic.later(29 * DAY)
    assert clinic.case(case_id).state == "open"
    clinic.later(2 * DAY)
    assert clinic.case(case_id).state == "closed"


def test_what_the_clinic_closed_only_the_clinic_opens(clinic: Clinic) -> None:
    case_id = clinic.finished()
    clinic.stage.post(update(_current(clinic, "ServiceRequest", case_id), status="completed"))
    with pytest.raises(Conflict, match="the order is completed; the clinic opens"):
        closing.reopen(clinic.stage.core, case_id, actor="nurse")
    clinic.stage.post(update(_current(clinic, "ServiceRequest", case_id), status="active"))
    assert clinic.case(case_id).state == "open"


def test_a_cancelled_delivery_keeps_no_case_open(clinic: Clinic) -> None:
    case_id = clinic.order()
    with clinic.stage.core.database.read() as connection:
        opened = deliveries.listed(connection, case_id=case_id)
    for one in opened:
        delivery_control.cancel(clinic.stage.core, one.id, actor="nurse")
    closing.close(clinic.stage.core, case_id, reason="withdrawn", actor="nurse")
    assert clinic.case(case_id).state == "closed"


def _current(clinic: Clinic, kind: str, resource_id: str) -> StoredResource:
    with clinic.stage.core.database.read() as connection:
        return resources.current(connection, clinic.stage.clinic.id, kind, resource_id)


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
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    _until_closed(hasty)
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
        _until_closed(clinic)
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
