"""Nothing leaves a restored gateway until a person says that the clinic has sent again."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict, NotYet
from gateway.domain.resource import StoredResource
from gateway.domain.work import Job, JobKind
from gateway.services import delivery_control, documents, egress, listing, restore_hold
from gateway.services.core import Core
from gateway.services.story import case_story
from gateway.store import cases, deliveries, outbox, resources
from gateway.store.backups import open_backup
from gateway.store.tables import audit as audit_rows
from tests.integration.store.backed_up import Gateway, backed_up
from tests.integration.store.stage import Stage, update


def test_nothing_leaves_a_restored_gateway_before_a_person_says_so(
    filled: Stage, empty: Gateway, tmp_path: Path
) -> None:
    """Nor what is opened after the restore; a consent that was revoked meanwhile is known by then."""
    backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    core = filled.core = replace(filled.core, database=empty.database, blobs=empty.target.blobs)
    with core.database.read() as connection:
        [images] = deliveries.listed(connection)
        [document] = cases.documents(connection)
    delivery_control.retry(core, images.id, actor="test")  # the stage took its sending for done
    documents.approve(core, document.id, actor="nurse")
    left = _Exit(core)
    filled.work(send=left.send)
    with core.database.read() as connection:
        waiting = deliveries.listed(connection, case_id=images.case_id)
        jobs = [outbox.unsettled(connection, JobKind.DELIVERY_SEND, one.id) for one in waiting]
    assert len(waiting) == 2
    assert [(job.state, job.last_error) for job in jobs if job] == [("pending", f"NotYet: {left.why}")] * 2
    assert "has to send again" in left.why
    remedy = "consilium backup resume ankara"
    waits = case_story(core, images.case_id).waits
    assert [one.who for one in waits] == [f"the clinic ankara, and then an administrator: {remedy}"]
    assert all(remedy in one.waits_for for one in listing.delivery_lines(core, limit=9))

    for consent in _consents(core, images.case_id):
        filled.post(update(consent, status="inactive"))
    assert restore_hold.resume(core, ["ankara"], actor="administrator") == ["ankara"]
    filled.work(send=left.send)
    assert left.sent == []
    with core.database.read() as connection:
        assert {one.state for one in deliveries.listed(connection)} == {DeliveryState.HELD}


def test_what_waited_leaves_at_once_when_a_person_says_so(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    """Its deadline counts from then."""
    backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    core = filled.core = replace(filled.core, database=empty.database, blobs=empty.target.blobs)
    with core.database.read() as connection:
        [images] = deliveries.listed(connection)
    delivery_control.retry(core, images.id, actor="test")
    left = _Exit(core)
    filled.work(send=left.send)
    assert (left.sent, "has to send again" in left.why) == ([], True)
    filled.ahead += timedelta(seconds=filled.core.retry.deadline_s * 2)
    restore_hold.resume(core, [], actor="administrator")
    with core.database.read() as connection:
        job = outbox.unsettled(connection, JobKind.DELIVERY_SEND, images.id)
    assert job is not None
    assert job.created_at >= filled.core.now() - timedelta(minutes=1)
    filled.work(send=left.send)
    with core.database.read() as connection:
        said = connection.execute(select(audit_rows.c.actor).where(audit_rows.c.action == "backup.resumed"))
        assert said.scalars().all() == ["administrator"]
    assert left.sent == [images.id]
    with pytest.raises(Conflict, match="nothing is held back"):
        restore_hold.resume(core, ["ankara"], actor="administrator")


class _Exit:
    """Takes the place of a sending: notes what is granted, or why nothing is."""

    def __init__(self, core: Core) -> None:
        self.core, self.why = core, ""
        self.sent: list[str] = []

    def send(self, job: Job) -> None:
        try:
            if egress.grant(self.core, job.subject_id):
                self.sent.append(job.subject_id)
        except NotYet as exc:
            self.why = str(exc)
            raise


def _consents(core: Core, case_id: str) -> list[StoredResource]:
    with core.database.read() as connection:
        case = cases.by_id(connection, case_id)
        return resources.referring(connection, case.clinic_id, "Consent", case.patient_id)
