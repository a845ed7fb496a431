"""Destroyed when it was kept long enough, with a record of each thing, and never anything else."""

import json

import pytest
from sqlalchemy import select

from gateway.domain import hooks
from gateway.domain.caller import Caller
from gateway.domain.errors import Conflict, Gone
from gateway.services import (
    closing,
    documents,
    legal_hold,
    listing,
    resource_reading,
    retention,
)
from gateway.services.intake import receive
from gateway.services.story import case_story
from gateway.services.sweeping import sweep
from gateway.store import audit, audit_chain, cases, deliveries, recalls, resources, studies, tables
from gateway.store.blobs import BlobDirectory
from tests.integration.store.finished import DAY, KEEP_DAYS, PDF, Clinic, destroyed, until_closed
from tests.integration.store.stage import update
from tests.peers.generated import AYSE, ct_series


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


def test_a_finished_case_is_closed_then_kept_then_destroyed_with_a_record_of_each_thing(clinic: Clinic) -> None:
    case_id = clinic.finished()
    clinic.later(29 * DAY)
    assert clinic.case(case_id).state == "open"
    clinic.later(2 * DAY)
    assert clinic.case(case_id).state == "closed"

    clinic.later((KEEP_DAYS - 1) * DAY)
    before = _everything(clinic)
    assert destroyed(clinic, case_id) == {}
    assert AYSE.patient_id in before
    clinic.later(2 * DAY)

    assert clinic.case(case_id).destroyed_at is not None
    assert destroyed(clinic, case_id) == {
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
        audit_chain.seal(connection, now=core.now())
    until_closed(clinic)
    clinic.later((KEEP_DAYS + 1) * DAY)
    with core.database.write("test") as connection:
        audit_chain.seal(connection, now=core.now())
        assert audit_chain.verify(connection).broken_at is None
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
    until_closed(clinic)
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
    until_closed(clinic)
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
    until_closed(clinic)
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert destroyed(clinic, case_id) == {}
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
    assert destroyed(clinic, case_id) == {}
    clinic.arrive(case_id)
    clinic.later(DAY)
    assert destroyed(clinic, case_id)["image"] == 2


def test_what_is_damaged_is_destroyed_like_the_rest(clinic: Clinic) -> None:
    case_id = clinic.finished()
    until_closed(clinic)
    blobs = clinic.stage.core.blobs
    assert isinstance(blobs, BlobDirectory)
    for digest in blobs.digests():
        blobs.path(digest).write_bytes(b"rotten")
    clinic.later((KEEP_DAYS + 1) * DAY)
    assert clinic.case(case_id).destroyed_at is not None
    assert {one.size_bytes for one in listing.destructions(clinic.stage.core, case_id=case_id, limit=1000)} >= {6}


def test_what_another_case_needs_stays(clinic: Clinic) -> None:
    """The same patient and consents, and a document of the same bytes."""
    first = clinic.finished()
    until_closed(clinic)
    second = clinic.order()
    clinic.later((KEEP_DAYS + 1) * DAY)
    gone = destroyed(clinic, first)
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
    until_closed(clinic)
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
    until_closed(clinic)
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
    begun = destroyed(clinic, case_id)
    assert begun == {"image": 2} | ({"payload": 1} if hook.endswith("after_commit") else {})
    with pytest.raises(Conflict, match="was destroyed"):
        closing.reopen(core, case_id, actor="nurse")
    assert retention.destroy(core, case_id, keep=keep)
    assert not retention.destroy(core, case_id, keep=keep)
    assert sum(destroyed(clinic, case_id).values()) == 16
