"""What happens while the objects of a study are being de-identified, and objects that cannot be."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Invalid
from gateway.domain.record import Delivery
from gateway.domain.resource import StoredResource
from gateway.domain.work import JobKind, JobState
from gateway.services import delivery_control, document_release, documents, quarantine, release
from gateway.services.intake import receive
from gateway.store import audit, cases, deliveries, outbox, studies
from gateway.store.blobs import BlobDirectory
from tests.integration.store.stage import Json, Stage, update
from tests.peers.generated import ct_series

PDF = b"%PDF-1.7 a pathology report"


def _case(stage: Stage, slices: int = 1) -> dict[str, StoredResource]:
    """A case whose study has arrived and gone quiet; nothing has been worked on."""
    data = stage.case_data()
    stored = {one.type: one for one in stage.post(demo.clinic_bundle(data, PDF)) if not _returns(one)}
    for ds in ct_series(slices=slices, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    stage.ahead += stage.core.quiet_period * 2
    return stored


def _post(stage: Stage, bundle: Json) -> None:
    stage.post(bundle)


def _returns(one: StoredResource) -> bool:
    return one.type == "Consent" and one.content["policy"][0]["uri"].endswith("return-to-clinic")


def _only_delivery(stage: Stage) -> Delivery:
    with stage.core.database.read() as connection:
        [delivery] = deliveries.listed(connection)
    return delivery


def _is_on_its_way(stage: Stage, delivery: Delivery) -> bool:
    with stage.core.database.read() as connection:
        return outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id) is not None


def _meanwhile(monkeypatch: pytest.MonkeyPatch, module: object, name: str, happens: Callable[[], None]) -> None:
    """Let something happen when `module.name` is called, before it does its work."""
    call = getattr(module, name)

    def calling(*values: object, **named: object) -> object:
        happens()
        return call(*values, **named)

    monkeypatch.setattr(module, name, calling)


def test_a_study_that_is_cancelled_while_it_is_prepared_keeps_its_reason(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _case(stage)
    _meanwhile(
        monkeypatch,
        release,
        "deidentify",
        lambda: delivery_control.cancel(stage.core, _only_delivery(stage).id, actor="nurse"),
    )
    stage.work()
    delivery = _only_delivery(stage)
    assert (delivery.state, delivery.waits_for) == (DeliveryState.CANCELLED, "nurse: cancelled it")
    assert not delivery.payload_sha256
    assert not _is_on_its_way(stage, delivery)


def test_a_study_whose_consent_goes_while_it_is_prepared_keeps_its_reason(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = _case(stage)
    revoked = update(stored["Consent"], status="inactive")
    _meanwhile(monkeypatch, release, "deidentify", lambda: _post(stage, revoked))
    stage.work()
    delivery = _only_delivery(stage)
    assert delivery.state is DeliveryState.HELD
    assert "its status is inactive" in delivery.waits_for
    assert delivery.payload_sha256


def test_a_document_that_is_cancelled_while_it_is_prepared_keeps_its_reason(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = _case(stage)
    stage.work()
    documents.approve(stage.core, stored["DocumentReference"].id, actor="nurse")

    def cancel() -> None:
        with stage.core.database.read() as connection:
            [delivery] = deliveries.listed(connection, subject_id=stored["DocumentReference"].id)
        delivery_control.cancel(stage.core, delivery.id, actor="nurse")

    _meanwhile(monkeypatch, document_release, "build_encapsulated_pdf", cancel)
    stage.work()
    with stage.core.database.read() as connection:
        [delivery] = deliveries.listed(connection, subject_id=stored["DocumentReference"].id)
    assert (delivery.state, delivery.waits_for) == (DeliveryState.CANCELLED, "nurse: cancelled it")
    assert not _is_on_its_way(stage, delivery)


@pytest.mark.parametrize("refusing", ["read_object", "object_bytes"])
def test_an_object_that_cannot_be_read_waits_alone_and_can_be_rejected(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    _case(stage, slices=2)
    call, asked = getattr(release, refusing), []

    def refusing_the_first(value: object) -> object:
        asked.append(value)
        if len(asked) == 1:
            raise Invalid("the object cannot be read")
        return call(value)

    monkeypatch.setattr(release, refusing, refusing_the_first)
    stage.work()
    delivery = _only_delivery(stage)
    assert delivery.state is DeliveryState.PENDING
    with stage.core.database.read() as connection:
        [entry] = studies.quarantined(connection, study_id=delivery.subject_id)
    assert (entry.kind, entry.reason) == ("deidentification", "the object cannot be read")
    quarantine.reject(stage.core, entry.id, actor="nurse")
    stage.work()
    with stage.core.database.read() as connection:
        assert len(deliveries.items(connection, delivery.id)) == 1


def _refuse_to_read(_content: bytes) -> object:
    raise Invalid("the object cannot be read")


def test_a_study_of_which_nothing_is_left_is_cancelled_in_the_trail_and_lets_its_document_go(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = _case(stage)["DocumentReference"].id
    documents.approve(stage.core, document_id, actor="nurse")
    monkeypatch.setattr(release, "read_object", _refuse_to_read)
    stage.work()
    with stage.core.database.read() as connection:
        [beside] = deliveries.listed(connection, subject_id=document_id)
        [images] = [one for one in deliveries.listed(connection) if one.id != beside.id]
        [entry] = studies.quarantined(connection, study_id=images.subject_id)
    tried: list[str] = []
    quarantine.reject(stage.core, entry.id, actor="nurse")
    stage.work(send=lambda job: tried.append(job.subject_id))
    with stage.core.database.read() as connection:
        assert deliveries.by_id(connection, images.id).state is DeliveryState.CANCELLED
        [row] = audit.of_case(connection, images.case_id, actions=["delivery.cancel"])
    assert (row.actor, row.subject) == ("gateway", f"delivery/{images.id}")
    assert tried == [beside.id]


def test_a_study_that_consent_holds_keeps_its_reason_where_an_object_is_not_clean(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked = update(_case(stage)["Consent"], status="inactive")
    monkeypatch.setattr(release, "read_object", _refuse_to_read)
    _meanwhile(monkeypatch, release, "read_object", lambda: _post(stage, revoked))
    stage.work()
    delivery = _only_delivery(stage)
    assert delivery.state is DeliveryState.HELD
    assert "its status is inactive" in delivery.waits_for
    with stage.core.database.read() as connection:
        assert studies.quarantined(connection, study_id=delivery.subject_id)


@contextmanager
def _missing(stage: Stage, digest: str) -> Iterator[None]:
    """As where the volume of the blobs is away for a moment."""
    assert isinstance(stage.core.blobs, BlobDirectory)
    path, away = stage.core.blobs.path(digest), Path(f"{stage.spool}.away")
    path.rename(away)
    yield
    away.rename(path)


@pytest.mark.parametrize("kind", [JobKind.STUDY_RELEASE, JobKind.DOCUMENT_RELEASE])
def test_a_blob_that_is_missing_for_a_moment_is_waited_for(stage: Stage, kind: JobKind) -> None:
    document_id = _case(stage)["DocumentReference"].id
    documents.approve(stage.core, document_id, actor="nurse")
    with stage.core.database.read() as connection:
        [study] = studies.listed(connection)
        [image] = studies.instances(connection, study.id)
        document = cases.document_by_id(connection, document_id)
    subject_id, digest = {
        JobKind.STUDY_RELEASE: (study.id, image.blob_sha256),
        JobKind.DOCUMENT_RELEASE: (document.id, str(document.cleared_sha256)),
    }[kind]
    with _missing(stage, digest):
        stage.work()
        with stage.core.database.read() as connection:
            job = outbox.unsettled(connection, kind, subject_id)
        assert job is not None
        assert job.state == JobState.PENDING
        assert "restore the blob" in job.last_error
    stage.ahead += timedelta(hours=1)
    stage.work()
    with stage.core.database.read() as connection:
        [delivery] = deliveries.listed(connection, subject_id=subject_id)
    assert delivery.payload_sha256
