"""A document's bytes are on the disk before the transaction that refers to them, however they came."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import pytest

from fhir_mappings.document_reference import document_from_fhir
from gateway.demo import resources as demo
from gateway.domain import hooks
from gateway.domain.errors import NotFound, Transient, Unprocessable
from gateway.domain.record import CaseDocument
from gateway.services import documents
from gateway.services.intake import receive
from gateway.store import cases, deliveries, resources
from tests.integration.store.overlap import outcome, overlapping
from tests.integration.store.stage import Json, Stage, full_url
from tests.peers.generated import ct_series

Result = TypeVar("Result")
PDF = b"%PDF-1.7 a pathology report"
ATTACHED_PDF = b"%PDF-1.7 another one"


def _binary(content: bytes = ATTACHED_PDF) -> Json:
    data = base64.b64encode(content).decode()
    return {"resourceType": "Binary", "contentType": "application/pdf", "data": data}


def _document_at(url: str, patient_id: str, order_id: str) -> Json:
    document = demo.document(f"Patient/{patient_id}", f"ServiceRequest/{order_id}", PDF)
    document["content"] = [{"attachment": {"contentType": "application/pdf", "url": url}}]
    return document


def _posted_case(stage: Stage, data: demo.CaseData) -> dict[str, str]:
    """The logical id of one resource of each type."""
    return {one.type: one.id for one in stage.post(demo.clinic_bundle(data, PDF))}


def _documents(stage: Stage) -> dict[str, CaseDocument]:
    with stage.core.database.read() as connection:
        return {one.id: one for one in cases.documents(connection)}


def test_an_inline_document_is_kept(stage: Stage) -> None:
    ids = _posted_case(stage, stage.case_data())
    [document] = _documents(stage).values()
    assert document.id == ids["DocumentReference"]
    assert stage.core.blobs.get(document.original_sha256) == PDF


@pytest.mark.parametrize("is_earlier", [True, False])
def test_a_document_in_a_binary_is_kept(stage: Stage, is_earlier: bool) -> None:
    ids = _posted_case(stage, stage.case_data())
    document_at = partial(_document_at, patient_id=ids["Patient"], order_id=ids["ServiceRequest"])
    if is_earlier:
        [binary] = stage.post(_binary())
        [stored] = stage.post(document_at(f"Binary/{binary.id}"))
    else:
        _, stored = stage.post(_binary(), document_at(full_url(0)))
    assert stage.core.blobs.get(_documents(stage)[stored.id].original_sha256) == ATTACHED_PDF


def test_a_binary_that_is_not_there_or_no_pdf_is_refused_as_before(stage: Stage) -> None:
    ids = _posted_case(stage, stage.case_data())
    document_at = partial(_document_at, patient_id=ids["Patient"], order_id=ids["ServiceRequest"])
    with pytest.raises(Unprocessable, match="no Binary of this id"):
        stage.post(document_at("Binary/nowhere"))
    with pytest.raises(Unprocessable, match="no Binary here") as refused:
        stage.post(document_at("https://elsewhere.example/fhir/Binary/1"))
    assert refused.value.at.endswith("content.attachment.url")
    with pytest.raises(Unprocessable, match="does not begin like one"):
        stage.post(_binary(b"<html>"), document_at(full_url(0)))
    assert len(_documents(stage)) == 1


def test_a_cleared_document_is_built_before_the_transaction_that_lets_it_go(stage: Stage) -> None:
    data = stage.case_data()
    ids = _posted_case(stage, data)
    for ds in ct_series(slices=1, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    documents.approve(stage.core, ids["DocumentReference"], actor="nurse")
    stage.ahead += stage.core.quiet_period * 2
    stage.work()
    with stage.core.database.read() as connection:
        [delivery] = deliveries.listed(connection, subject_id=ids["DocumentReference"])
        [item] = deliveries.items(connection, delivery.id)
    assert delivery.payload_sha256
    assert PDF in stage.core.blobs.get(item.blob_sha256)


@pytest.mark.parametrize("first", ["approve", "reject"])
def test_of_two_decisions_at_once_the_first_stands(stage: Stage, first: str) -> None:
    ids = _posted_case(stage, stage.case_data())
    decisions = {"approve": documents.approve, "reject": documents.reject}
    states = {"approve": "cleared", "reject": "rejected"}
    came_first = decisions.pop(first)
    [came_second] = decisions.values()
    became = overlapping(
        stage.core.database,
        *(
            partial(outcome, partial(decide, stage.core, ids["DocumentReference"], actor="nurse"))
            for decide in (came_first, came_second)
        ),
    )
    assert became == ("done", "refused")
    assert _documents(stage)[ids["DocumentReference"]].state == states[first]


def test_a_document_is_read_before_the_transaction_that_stores_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(documents, "document_from_fhir", _noted(document_from_fhir, "read", read))
    with _observed(read.append):
        _posted_case(stage, stage.case_data())
    assert read.index("read") < read.index("fhir.store.before_commit")
    assert read.count("read") == 1


def test_a_binary_that_comes_beside_the_transaction_is_asked_for_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _posted_case(stage, stage.case_data())
    [binary] = stage.post(_binary())
    document = _document_at(f"Binary/{binary.id}", ids["Patient"], ids["ServiceRequest"])
    found, asked = resources.binary, []

    def late(*values: Any) -> bytes:
        asked.append(values)
        if len(asked) == 1:
            raise NotFound("no Binary of this id")
        return found(*values)

    monkeypatch.setattr(resources, "binary", late)
    with pytest.raises(Transient):
        stage.post(document)
    assert len(_documents(stage)) == 1


def _noted(call: Callable[..., Result], name: str, into: list[str]) -> Callable[..., Result]:
    def noting(*values: object, **named: object) -> Result:
        into.append(name)
        return call(*values, **named)

    return noting


@contextmanager
def _observed(note: Callable[[str], None]) -> Iterator[None]:
    """Pass every hook that is reached to `note`."""
    hooks.observe(note)
    try:
        yield
    finally:
        hooks.forget(note)
