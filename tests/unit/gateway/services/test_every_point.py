"""Whether it may leave is asked at every point of its way, whatever leaves: a consent that has gone stops it there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.domain import hooks
from gateway.domain.case import DocumentState
from gateway.domain.delivery import DeliveryKind, DeliveryState
from gateway.domain.errors import Transient, Unanswered
from gateway.domain.party import DicomAddress
from gateway.domain.record import CaseDocument, Delivery
from gateway.domain.work import JobKind
from gateway.services import delivery as sending
from gateway.services import document_release, egress, release, rendering
from gateway.services.outside import Outside
from gateway.services.work import run_job
from gateway.store import cases, deliveries, outbox, recalls, tables
from tests.peers.generated import ct_series, part10
from tests.unit.gateway.services.attempts import attempt, enqueue, put_in
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

CT = part10(ct_series(slices=1, study_instance_uid="1.2.3.9")[0])
OBJECTS = 3


def _cleared(scenery: Scenery) -> CaseDocument:
    """A cleared document beside images that have arrived."""
    images, now = scenery.images("1.1", content=CT), scenery.clock()
    blob = scenery.core.blobs.put(CT)
    document = CaseDocument(
        "document-1", scenery.case.id, DocumentState.CLEARED, "", "11526-1", now.date(), blob, blob, "x", now, now
    )
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, images.id, now=now, state=DeliveryState.DELIVERED)
        cases.add_document(connection, document)
    return document


def _document(scenery: Scenery) -> Delivery:
    """The same, ready to be sent."""
    document = _cleared(scenery)
    with scenery.core.database.write("test") as connection:
        return egress.open_delivery(
            connection,
            scenery.case,
            kind=DeliveryKind.DOCUMENT_TO_REVIEWER,
            endpoint_id="board-node",
            subject_id=document.id,
            business_key=egress.business_key("document", document.id, "board-node", 0),
            payload_sha256=str(document.cleared_sha256),
            now=scenery.clock(),
        )


MADE: dict[DeliveryKind, Callable[[Scenery], Delivery]] = {
    DeliveryKind.STUDY_TO_REVIEWER: lambda scenery: scenery.images("1.1", "1.2", "1.3", content=CT),
    DeliveryKind.DOCUMENT_TO_REVIEWER: _document,
    DeliveryKind.REPORT_TO_EHR: lambda scenery: scenery.report(),
    DeliveryKind.REPORT_TO_PACS: lambda scenery: scenery.report_to_pacs(),
}
every_kind = pytest.mark.parametrize("kind", list(DeliveryKind), ids=str)


def _permitted(scenery: Scenery, kind: DeliveryKind) -> tuple[Delivery, Callable[[], None]]:
    """What may leave at first, and how its consent is taken back."""
    consent = scenery.consent(kind.flow)

    def revoke() -> None:
        scenery.consent(kind.flow, status="inactive", of=consent)

    return MADE[kind](scenery), revoke


def _outcomes(scenery: Scenery, stage: str) -> list[str]:
    with scenery.core.database.read() as connection:
        found = deliveries.decisions(connection, scenery.case.id)
    return [one.outcome for one in found if one.stage == stage]


def _recalled(scenery: Scenery) -> list[str]:
    with scenery.core.database.read() as connection:
        return [one.disclosed_id for one in recalls.listed(connection, case_id=scenery.case.id)]


def _study_released(scenery: Scenery, _monkeypatch: pytest.MonkeyPatch) -> None:
    study_id, now = scenery.study("matched"), scenery.clock()
    row: dict[str, object] = {"study_id": study_id, "clinic_id": "ankara", "sop_instance_uid": "1.1"}
    row |= {"series_instance_uid": "1", "sop_class_uid": "1.2", "transfer_syntax_uid": "1.2.1", "modality": "CT"}
    row |= {"state": "stored", "blob_sha256": scenery.core.blobs.put(CT), "size_bytes": 1, "received_at": now}
    with scenery.core.database.write("test") as connection:
        connection.execute(insert(tables.instance).values(row))
    release.release_study(scenery.core, scenery.claimed(JobKind.STUDY_RELEASE, study_id))


def _document_released(scenery: Scenery, _monkeypatch: pytest.MonkeyPatch) -> None:
    document_release.release_document(scenery.core, scenery.claimed(JobKind.DOCUMENT_RELEASE, _cleared(scenery).id))


def _rendered(scenery: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report whose rendition is there already, for the EHR and for the PACS that has a study of the case."""
    monkeypatch.setattr(rendering, "load_report", lambda *_: None)
    scenery.study("matched")
    version = scenery.signed(1)
    never: Any = None
    rendering.render(scenery.core, scenery.claimed(JobKind.REPORT_RENDER, version.id), renderer=never)


COMES_TO_LEAVE: dict[DeliveryKind, Callable[[Scenery, pytest.MonkeyPatch], None]] = {
    DeliveryKind.STUDY_TO_REVIEWER: _study_released,
    DeliveryKind.DOCUMENT_TO_REVIEWER: _document_released,
    DeliveryKind.REPORT_TO_EHR: _rendered,
    DeliveryKind.REPORT_TO_PACS: _rendered,
}


@every_kind
def test_without_a_permit_at_enqueue_nothing_is_put_on_its_way(
    kind: DeliveryKind, scenery: Scenery, monkeypatch: pytest.MonkeyPatch
) -> None:
    COMES_TO_LEAVE[kind](scenery, monkeypatch)
    with scenery.core.database.read() as connection:
        of_case = deliveries.listed(connection, case_id=scenery.case.id)
        [delivery] = [one for one in of_case if one.kind is kind and one.state is not DeliveryState.DELIVERED]
        asked = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
        decided = [one for one in deliveries.decisions(connection, scenery.case.id) if one.delivery_id == delivery.id]
        assert not deliveries.has_been_granted(connection, delivery.id)
    assert delivery.state is DeliveryState.HELD
    assert [(one.stage, one.outcome) for one in decided] == [("enqueue", "deny")]
    assert asked is None


@every_kind
def test_taken_back_between_enqueue_and_start_nothing_begins(
    kind: DeliveryKind, scenery: Scenery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, revoke = _permitted(scenery, kind)
    destination = put_in(scenery, delivery, monkeypatch)
    revoke()
    attempt(scenery, delivery)
    assert destination.may_have_left == []
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    assert _outcomes(scenery, "grant") == ["deny"]
    assert _recalled(scenery) == []


@every_kind
def test_it_is_decided_before_every_attempt(
    kind: DeliveryKind, scenery: Scenery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, revoke = _permitted(scenery, kind)
    destination = put_in(scenery, delivery, monkeypatch, Transient("busy"), Transient("busy"))
    attempt(scenery, delivery)
    attempt(scenery, delivery)
    assert _outcomes(scenery, "grant") == ["permit", "permit"]
    revoke()
    attempt(scenery, delivery)
    assert len(destination.may_have_left) == 2
    assert _outcomes(scenery, "grant") == ["permit", "permit", "deny"]
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    assert _recalled(scenery) == [delivery.id]


@every_kind
def test_given_again_it_goes_on(kind: DeliveryKind, scenery: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery, revoke = _permitted(scenery, kind)
    destination = put_in(scenery, delivery, monkeypatch)
    revoke()
    attempt(scenery, delivery)
    scenery.consent(kind.flow)
    attempt(scenery, delivery)
    assert len(destination.may_have_left) == 1
    assert scenery.delivery(delivery.id).state is DeliveryState.DELIVERED


class _Node:
    """Takes every object, silent or not, and has nothing when it is asked; `happens` once it has been."""

    def __init__(self, happens: Callable[[], None] = lambda: None) -> None:
        self.log: list[str] = []
        self.is_silent = False
        self._happens = happens

    @contextmanager
    def open(self, address: DicomAddress, contexts: frozenset[tuple[str, str]]) -> "Iterator[_Node]":
        yield self

    def send(self, _content: bytes, *, before_send: Callable[[], None] = lambda: None) -> int:
        before_send()
        self.log.append("store")
        if self.is_silent:
            raise Unanswered("no answer")
        return 0x0000

    def find_instances(
        self, address: DicomAddress, study_instance_uid: str, *, before_send: Callable[[], None]
    ) -> frozenset[str]:
        before_send()
        self.log.append("find")
        self._happens()
        return frozenset()


def _sent_to(node: _Node, scenery: Scenery, delivery: Delivery) -> None:
    never: Any = None
    outside = Outside(node.open, never, never, node.find_instances, never, never, look_again_after_s=60)
    job_id = enqueue(scenery, delivery)
    run_job(scenery.core, job_id, {JobKind.DELIVERY_SEND: lambda job: sending.send(scenery.core, job, outside=outside)})


@contextmanager
def _at(hook: str, turn: int, happens: Callable[[], None]) -> Iterator[None]:
    """When that hook is reached for the n-th time."""
    passed: list[str] = []

    def observer(name: str) -> None:
        passed.extend([name] if name == hook else [])
        if len(passed) == turn and name == hook:
            happens()

    hooks.observe(observer)
    try:
        yield
    finally:
        hooks.forget(observer)


@pytest.mark.parametrize("sent", range(1, OBJECTS))
def test_taken_back_between_two_objects_no_more_of_them_leave(sent: int, scenery: Scenery) -> None:
    delivery, revoke = _permitted(scenery, DeliveryKind.STUDY_TO_REVIEWER)
    node = _Node()
    with _at("reviewer.after_send", sent, revoke):
        _sent_to(node, scenery, delivery)
    assert node.log == ["store"] * sent
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    assert _recalled(scenery) == [delivery.id]
    with scenery.core.database.read() as connection:
        items = deliveries.items(connection, delivery.id)
    assert [one.status for one in items] == ["0x0000"] * sent + [None] * (OBJECTS - sent)


def test_taken_back_between_the_look_and_the_first_object_nothing_is_sent(scenery: Scenery) -> None:
    delivery, revoke = _permitted(scenery, DeliveryKind.STUDY_TO_REVIEWER)
    node = _Node(revoke)
    node.is_silent = True
    _sent_to(node, scenery, delivery)
    node.is_silent = False
    scenery.clock.forward(hours=1)
    _sent_to(node, scenery, delivery)
    assert node.log == ["store", "find"]
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    assert _recalled(scenery) == [delivery.id]


def test_a_grant_that_ran_out_between_two_objects_is_decided_anew(scenery: Scenery) -> None:
    delivery, _ = _permitted(scenery, DeliveryKind.STUDY_TO_REVIEWER)
    node = _Node()
    with _at("reviewer.after_send", 1, lambda: scenery.clock.forward(seconds=61)):
        _sent_to(node, scenery, delivery)
    assert node.log == ["store"] * OBJECTS
    assert _outcomes(scenery, "grant") == ["permit", "permit"]


def test_a_consent_that_ended_by_time_between_two_objects_stops_the_next(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(seconds=30))
    delivery = MADE[DeliveryKind.STUDY_TO_REVIEWER](scenery)
    node = _Node()
    with _at("reviewer.after_send", 1, lambda: scenery.clock.forward(seconds=31)):
        _sent_to(node, scenery, delivery)
    assert node.log == ["store"]
    assert _outcomes(scenery, "grant") == ["permit", "deny"]
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
