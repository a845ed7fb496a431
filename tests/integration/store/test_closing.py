"""An order that is closed stops what has not been sent, and what it stopped goes on when it is opened again."""

from functools import partial

import pytest
from pydicom.dataset import FileDataset

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict
from gateway.domain.record import Delivery
from gateway.domain.resource import StoredResource
from gateway.domain.work import JobKind
from gateway.services import closing, delivery_control, documents, listing
from gateway.services.intake import receive
from gateway.services.story import case_story
from gateway.store import audit, deliveries, outbox, resources
from tests.integration.store.overlap import outcome, overlapping
from tests.integration.store.stage import Stage, update
from tests.peers.generated import ct_series

PDF = b"%PDF-1.7 a pathology report"


@pytest.fixture
def order(stage: Stage) -> StoredResource:
    """Of a case with its images and its cleared document ready to be sent."""
    data = stage.case_data()
    stored = {one.type: one for one in stage.post(demo.clinic_bundle(data, PDF))}
    for ds in ct_series(slices=1, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    documents.approve(stage.core, stored["DocumentReference"].id, actor="nurse")
    stage.ahead += stage.core.quiet_period * 2
    stage.work()
    return stored["ServiceRequest"]


def _deliveries(stage: Stage, order: StoredResource) -> list[Delivery]:
    with stage.core.database.read() as connection:
        return deliveries.listed(connection, case_id=order.id)


def _set_status(stage: Stage, order: StoredResource, status: str) -> None:
    stage.post(update(order, status=status))


def test_each_delivery_that_an_order_cancels_is_audited(stage: Stage, order: StoredResource) -> None:
    _set_status(stage, order, "revoked")
    cancelled = _deliveries(stage, order)
    assert [one.state for one in cancelled] == [DeliveryState.CANCELLED] * 2
    with stage.core.database.read() as connection:
        rows = audit.of_case(connection, order.id, actions=["delivery.cancel-by-order"])
    assert [(row.actor, row.subject, row.details) for row in rows] == [
        ("client", f"delivery/{one.id}", {"order": "revoked"}) for one in cancelled
    ]


def test_what_an_order_cancelled_goes_on_when_it_is_opened_again(stage: Stage, order: StoredResource) -> None:
    before = _deliveries(stage, order)
    _set_status(stage, order, "revoked")
    stage.work()
    _set_status(stage, order, "active")
    after = _deliveries(stage, order)
    assert [(one.id, one.payload_sha256) for one in after] == [(one.id, one.payload_sha256) for one in before]
    assert [(one.state, one.waits_for) for one in after] == [(DeliveryState.PENDING, "")] * 2
    assert "revoked" not in str(case_story(stage.core, order.id).waits)
    with stage.core.database.read() as connection:
        assert all(outbox.unsettled(connection, JobKind.DELIVERY_SEND, one.id) for one in after)


def test_what_a_person_cancelled_stays_cancelled(stage: Stage, order: StoredResource) -> None:
    stopped, other = _deliveries(stage, order)
    for status in ("revoked", "active"):
        _set_status(stage, order, status)
    delivery_control.cancel(stage.core, stopped.id, actor="nurse")
    for status in ("completed", "active"):
        _set_status(stage, order, status)
    stage.work()
    states = {one.id: one.state for one in _deliveries(stage, order)}
    assert states == {stopped.id: DeliveryState.CANCELLED, other.id: DeliveryState.PENDING}


def test_what_a_person_held_when_its_order_ended_is_held_again_when_that_is_opened(
    stage: Stage, order: StoredResource
) -> None:
    held, other = _deliveries(stage, order)
    delivery_control.hold(stage.core, held.id, "the wrong knee", actor="nurse")
    _set_status(stage, order, "revoked")
    assert [(one.state, one.stopped_by) for one in _deliveries(stage, order)] == [(DeliveryState.CANCELLED, None)] * 2
    with pytest.raises(Conflict, match="it is cancelled"):
        delivery_control.release(stage.core, held.id, actor="nurse")
    _set_status(stage, order, "active")
    again, moving = _deliveries(stage, order)
    assert (again.id, again.state, again.stopped_by) == (held.id, DeliveryState.HELD, "nurse")
    assert again.waits_for == "nurse: held it back before the order ended"
    assert (moving.id, moving.state, moving.stopped_by) == (other.id, DeliveryState.PENDING, None)
    delivery_control.release(stage.core, held.id, actor="nurse")
    assert {one.state for one in _deliveries(stage, order)} == {DeliveryState.PENDING}


def test_a_document_that_was_cleared_while_the_order_was_closed_leaves_afterwards(stage: Stage) -> None:
    data = stage.case_data()
    stored = {one.type: one for one in stage.post(demo.clinic_bundle(data, PDF))}
    order, document = stored["ServiceRequest"], stored["DocumentReference"]
    for ds in ct_series(slices=1, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    stage.ahead += stage.core.quiet_period * 2
    stage.work()
    _set_status(stage, order, "revoked")
    documents.approve(stage.core, document.id, actor="nurse")
    stage.work()
    _set_status(stage, order, "active")
    stage.work()
    with stage.core.database.read() as connection:
        [delivery] = deliveries.listed(connection, subject_id=document.id)
    assert delivery.payload_sha256


def test_a_case_waits_for_what_is_being_stored_before_it_is_closed(stage: Stage) -> None:
    stored = {one.type: one.id for one in stage.post(demo.clinic_bundle(stage.case_data(), PDF))}
    [document] = listing.documents(stage.core, limit=1)
    documents.reject(stage.core, document.id, actor="nurse")
    another = demo.document(f"Patient/{stored['Patient']}", f"ServiceRequest/{stored['ServiceRequest']}", PDF)
    close = partial(closing.close, stage.core, stored["ServiceRequest"], reason="over", actor="nurse")
    _, became = overlapping(stage.core.database, partial(stage.post, another), partial(outcome, close))
    assert became == "refused"


def test_objects_that_come_after_the_case_was_closed_wait_until_it_is_opened_again(stage: Stage) -> None:
    data = stage.case_data()
    order = next(one for one in stage.post(demo.clinic_bundle(data, PDF)) if one.type == "ServiceRequest")
    first, second = ct_series(slices=2, study_instance_uid=data.study_instance_uid, accession=data.accession_number)

    def arrives(ds: FileDataset) -> None:
        receive(stage.core, stage.arrival(ds))
        stage.ahead += stage.core.quiet_period * 2
        stage.work()

    arrives(first)
    [study] = listing.study_lines(stage.core, limit=2)
    assert _image_count(stage, study.id) == 1
    _set_status(stage, order, "revoked")
    arrives(second)
    assert f"consilium case reopen {order.id}" in listing.study_line(stage.core, study.id).waits_for
    assert _image_count(stage, study.id) == 1
    with stage.core.database.read() as connection:
        [row] = audit.of_case(connection, order.id, actions=["study.late"])
    assert (row.outcome, row.subject, row.details) == ("waiting", f"study/{study.id}", {"instances": 2})
    _set_status(stage, order, "active")
    stage.work()
    assert listing.study_line(stage.core, study.id).waits_for == ""
    assert _image_count(stage, study.id) == 2


def _image_count(stage: Stage, study_id: str) -> int:
    with stage.core.database.read() as connection:
        found = resources.current(connection, stage.clinic.id, "ImagingStudy", study_id)
    return int(found.content["numberOfInstances"])
