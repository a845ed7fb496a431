"""Nodes whose answer is lost, or not true: they are asked what they have, and nothing is sent twice or lost."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dicom_node import scu
from dicom_node.encapsulated_pdf import CONTEXT
from gateway.domain.delivery import DeliveryState
from gateway.domain.record import Delivery, DeliveryItem
from gateway.domain.work import JobKind
from gateway.services import delivery as sending
from gateway.services.outside import Outside
from gateway.services.work import run_job
from gateway.store import deliveries, outbox
from gateway.store.engine import Database
from tests.peers.generated import ct_series, part10
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_pacs import SUCCESS, StrictPacs
from tests.unit.gateway.services.scenery import DATA, DISCLOSE, RETURN, Scenery

US = "CONSILIUM"
PATIENCE_S = 60.0
QUICK = scu.Timeouts(connect_s=5, association_s=5, response_s=1)
IMAGE = ct_series(slices=1)[0]
UID = str(IMAGE.SOPInstanceUID)
CONTEXTS = [(str(IMAGE.SOPClassUID), str(IMAGE.file_meta.TransferSyntaxUID)), CONTEXT]


@pytest.fixture
def node() -> Iterator[StrictPacs]:
    """Knows the study already; each request that comes is kept, whatever it is answered."""
    with StrictPacs("NODE") as running:
        running.register(RegisteredStudy.of(IMAGE))
        yield running


@pytest.fixture
def scenery(database: Database, tmp_path: Path) -> Scenery:
    return Scenery(database, tmp_path)


@pytest.fixture
def images(scenery: Scenery) -> Delivery:
    scenery.consent(DISCLOSE)
    delivery = scenery.images(UID, content=part10(IMAGE))
    _enqueue(scenery, delivery)
    return delivery


@pytest.fixture
def report(scenery: Scenery, node: StrictPacs) -> Delivery:
    scenery.consent(RETURN)
    scenery.study("matched")
    identity = {"patient_name": "Öztürk^Ayşe", "birth_date": "19670421", "sex": "F"}
    node.register(RegisteredStudy(DATA.study_instance_uid, "4711", **identity))
    delivery = scenery.report_to_pacs()
    _enqueue(scenery, delivery)
    return delivery


def _outside(node: StrictPacs, spool: Path) -> Outside:
    """All that is asked is asked of this node, wherever the endpoint says it is."""
    unused: Any = None
    here, ours = node.address, US
    return Outside(
        open_sender=lambda _, _contexts: scu.open_sender(here, ours, CONTEXTS, QUICK, spool_folder=spool),
        find_study=lambda address, study_instance_uid, *, before_send: scu.find_study(
            here, ours, study_instance_uid, QUICK, before_send=before_send
        ),
        has_instance=lambda address, reference, *, before_send: scu.has_instance(
            here, ours, reference, QUICK, before_send=before_send
        ),
        find_instances=lambda address, study_instance_uid, *, before_send: scu.find_instances(
            here, ours, study_instance_uid, QUICK, before_send=before_send
        ),
        deliver_report=unused,
        render=unused,
        look_again_after_s=PATIENCE_S,
    )


def _enqueue(scenery: Scenery, delivery: Delivery) -> None:
    with scenery.core.database.write("test") as connection:
        outbox.enqueue(connection, JobKind.DELIVERY_SEND, delivery.id, case_id=None, now=scenery.clock())


def _attempt(scenery: Scenery, delivery: Delivery, outside: Outside) -> Delivery:
    """One, as a worker would make it; how the delivery is then."""
    scenery.clock.forward(hours=1)  # whatever it waits for by the clock is over
    with scenery.core.database.read() as connection:
        job = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
    assert job is not None
    run_job(scenery.core, job.id, {JobKind.DELIVERY_SEND: partial(sending.send, scenery.core, outside=outside)})
    return scenery.delivery(delivery.id)


def _item(scenery: Scenery, delivery: Delivery) -> DeliveryItem:
    with scenery.core.database.read() as connection:
        [item] = deliveries.items(connection, delivery.id)
    return item


def _note(scenery: Scenery, delivery: Delivery) -> str:
    with scenery.core.database.read() as connection:
        return str(deliveries.receipts(connection, delivery.case_id)[delivery.id]["note"])


def test_an_object_that_was_stored_without_an_answer_is_not_sent_again(
    scenery: Scenery, images: Delivery, node: StrictPacs, tmp_path: Path
) -> None:
    outside = _outside(node, tmp_path)
    node.answer_after_s = 30
    cut = _attempt(scenery, images, outside)
    assert (cut.state, cut.is_ambiguous, len(node.received)) == (DeliveryState.PENDING, True, 1)
    node.answer_after_s = 0
    assert _attempt(scenery, images, outside).state is DeliveryState.DELIVERED
    assert len(node.received) == 1
    assert _item(scenery, images).status == "C-FIND"
    assert _note(scenery, images) == "1 of 1 objects acknowledged, 1 of them found there by C-FIND"


def test_a_report_that_was_acknowledged_and_lost_is_sent_again_once_a_look_says_so(
    scenery: Scenery, report: Delivery, node: StrictPacs, tmp_path: Path
) -> None:
    outside = _outside(node, tmp_path)
    node.script(SUCCESS)
    lost = _attempt(scenery, report, outside)
    assert (lost.state, lost.is_ambiguous, node.stored) == (DeliveryState.PENDING, True, [])
    assert _attempt(scenery, report, outside).state is DeliveryState.DELIVERED
    assert (len(node.received), len(node.stored)) == (2, 1)
    assert _note(scenery, report) == "seen there by C-FIND"


def test_a_report_that_an_index_shows_late_is_not_sent_again(
    scenery: Scenery, report: Delivery, node: StrictPacs, tmp_path: Path
) -> None:
    outside = _outside(node, tmp_path)
    node.index_is_late = True
    assert _attempt(scenery, report, outside).is_ambiguous
    with scenery.core.database.read() as connection:
        job = outbox.unsettled(connection, JobKind.DELIVERY_SEND, report.id)
    assert job is not None and job.next_try_at >= scenery.clock() + timedelta(seconds=PATIENCE_S)
    node.index_is_late = False
    assert _attempt(scenery, report, outside).state is DeliveryState.DELIVERED
    assert len(node.received) == 1
    assert _note(scenery, report) == "was there already"
