"""The PACS is asked and written to only while the permission holds, and an amendment names what is there."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import pydicom
import pytest

from dicom_node.encapsulated_pdf import StudyIdentity
from gateway.domain.delivery import DeliveryState, Receipt
from gateway.domain.errors import Ambiguous, Conflict
from gateway.domain.record import Delivery
from gateway.services.sending import Sending
from gateway.services.to_pacs import send_to_pacs
from gateway.store import deliveries
from tests.unit.gateway.services.scenery import DATA, Scenery

DUPLICATE = 0x0111
STUDY = StudyIdentity(
    study_instance_uid=DATA.study_instance_uid,
    patient_id="4711",
    issuer_of_patient_id="",
    patient_name="Öztürk^Ayşe",
    accession_number="A1",
    study_id="",
)


class _Permission:
    """Holds for so many questions; notes each."""

    def __init__(self, log: list[str], holds: int = 99) -> None:
        self.log, self.holds = log, holds

    def require(self, payload_sha256: str) -> None:
        self.log.append("require")
        if self.log.count("require") > self.holds:
            raise Conflict("the grant was cancelled; nothing more is sent")


class _Pacs:
    """Answers each question with what it was made with; notes each and keeps what it is sent."""

    def __init__(self, log: list[str], *, has: Sequence[bool] = (), status: int = 0x0000) -> None:
        self.log, self.has, self.status = log, list(has), status
        self.received: list[pydicom.Dataset] = []

    def find_study(self, *_: object) -> list[StudyIdentity]:
        self.log.append("find study")
        return [STUDY]

    def has_instance(self, *_: object) -> bool:
        self.log.append("find instance")
        return self.has.pop(0)

    def open_sender(self, *_: object) -> "_Pacs":
        return self

    def __enter__(self) -> "_Pacs":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, content: bytes) -> int:
        self.log.append("store")
        self.received.append(pydicom.dcmread(BytesIO(content)))
        return self.status


@pytest.fixture
def log() -> list[str]:
    return []


def _send(scenery: Scenery, delivery: Delivery, permission: Any, pacs: Any, *, may_have_left: bool = False) -> Receipt:
    return send_to_pacs(scenery.core, Sending(delivery, permission, may_have_left), pacs)


def test_the_permission_is_asked_for_before_each_question_and_the_object(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    delivery = scenery.report_to_pacs()
    pacs = _Pacs(log, has=[False, True], status=DUPLICATE)
    receipt = _send(scenery, delivery, _Permission(log), pacs, may_have_left=True)
    assert receipt.note == "was there already"
    questions = ["find instance", "find study", "store", "find instance"]
    assert log == [step for question in questions for step in ("require", question)]


def test_without_a_permission_nobody_is_asked_anything(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    with pytest.raises(Conflict):
        _send(scenery, scenery.report_to_pacs(), _Permission(log, holds=0), _Pacs(log), may_have_left=True)
    assert log == ["require"]


def test_an_open_answer_stays_open_when_the_permission_ended(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    with pytest.raises(Ambiguous):
        _send(scenery, scenery.report_to_pacs(), _Permission(log, holds=2), _Pacs(log, status=DUPLICATE))
    assert log == ["require", "find study", "require", "store", "require"]


@pytest.mark.parametrize("is_confirmed_by_a_person", [True, False])
def test_an_amendment_names_the_last_version_that_is_there(
    scenery: Scenery, log: list[str], is_confirmed_by_a_person: bool
) -> None:
    scenery.study("matched")
    first, second, third = (scenery.report_to_pacs(version) for version in (1, 2, 3))
    pacs = _Pacs(log)
    receipt = _send(scenery, first, _Permission(log), pacs)
    kept = replace(receipt, reference="") if is_confirmed_by_a_person else receipt
    with scenery.core.database.write("test") as connection:
        deliveries.set_receipt(connection, first.id, kept)
        deliveries.change(connection, second.id, now=scenery.clock(), state=DeliveryState.CANCELLED)
    _send(scenery, third, _Permission(log), pacs)
    original, amendment = pacs.received
    assert "PredecessorDocumentsSequence" not in original
    [study] = amendment.PredecessorDocumentsSequence
    [series] = study.ReferencedSeriesSequence
    [named] = series.ReferencedSOPSequence
    assert named.ReferencedSOPInstanceUID == original.SOPInstanceUID
    assert amendment.SOPInstanceUID != original.SOPInstanceUID
