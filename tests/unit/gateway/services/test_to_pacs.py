"""The PACS is asked and written to only while the permission holds, and an amendment names what is there."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import pydicom
import pytest

from dicom_node.encapsulated_pdf import StudyIdentity
from gateway.domain.delivery import DeliveryState, Receipt
from gateway.domain.errors import Ambiguous, Conflict, GatewayError, Lacking, Permanent, Transient, Unreachable
from gateway.domain.record import Delivery
from gateway.services.sending import Sending
from gateway.services.to_pacs import send_to_pacs
from gateway.store import deliveries, reports
from tests.unit.gateway.services.scenery import DATA, Scenery

DUPLICATE = 0x0111
STUDY = StudyIdentity(
    study_instance_uid=DATA.study_instance_uid,
    patient_id="4711",
    issuer_of_patient_id="",
    patient_name="Öztürk^Ayşe",
    accession_number="A1",
    study_id="",
    character_set="ISO_IR 192",
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

    look_again_after_s = 60.0

    def __init__(
        self,
        log: list[str],
        *,
        has: Sequence[bool | GatewayError] = (True,),
        status: int = 0x0000,
        studies: Sequence[StudyIdentity] = (STUDY,),
    ) -> None:
        self.log, self.has, self.status, self.studies = log, list(has), status, list(studies)
        self.received: list[pydicom.Dataset] = []

    def find_study(self, *_: object, before_send: Callable[[], None]) -> list[StudyIdentity]:
        before_send()
        self.log.append("find study")
        return self.studies

    def has_instance(self, *_: object, before_send: Callable[[], None]) -> bool:
        before_send()
        self.log.append("find instance")
        answer = self.has.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer

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


@pytest.mark.parametrize(
    ("status", "note"), [(0x0000, "seen there by C-FIND"), (0xB000, r"stored with changes: .*; seen there by C-FIND")]
)
def test_what_the_pacs_says_it_has_stored_is_looked_for(
    scenery: Scenery, log: list[str], status: int, note: str
) -> None:
    scenery.study("matched")
    receipt = _send(scenery, scenery.report_to_pacs(), _Permission(log), _Pacs(log, has=[True], status=status))
    assert log == [step for question in ("find study", "store", "find instance") for step in ("require", question)]
    assert receipt.status == f"0x{status:04X}"
    assert re.fullmatch(note, receipt.note)


def test_what_it_says_it_has_stored_and_does_not_show_is_looked_for_again_later(
    scenery: Scenery, log: list[str]
) -> None:
    """Its index may be late, so that nothing is sent again before it has had its time."""
    scenery.study("matched")
    with pytest.raises(Ambiguous, match="answered 0x0000, and the report is not there when asked for") as unclear:
        _send(scenery, scenery.report_to_pacs(), _Permission(log), _Pacs(log, has=[False]))
    assert unclear.value.retry_after_s == 60
    assert not unclear.value.is_for_person


@pytest.mark.parametrize("why", [Unreachable("PACS is gone"), Permanent("PACS failed the query (0xA900)")])
def test_a_pacs_that_cannot_be_asked_is_believed_and_the_receipt_says_so(
    scenery: Scenery, log: list[str], why: GatewayError
) -> None:
    scenery.study("matched")
    receipt = _send(scenery, scenery.report_to_pacs(), _Permission(log), _Pacs(log, has=[why]))
    assert (receipt.status, receipt.note) == ("0x0000", f"not looked for there: {why}")


def test_a_permission_that_ended_with_the_object_leaves_its_own_word(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    receipt = _send(scenery, scenery.report_to_pacs(), _Permission(log, holds=2), _Pacs(log))
    assert (receipt.status, receipt.note) == (
        "0x0000",
        "not looked for there: the grant was cancelled; nothing more is sent",
    )
    assert log == ["require", "find study", "require", "store", "require"]


def test_without_a_permission_nobody_is_asked_anything(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    with pytest.raises(Conflict):
        _send(scenery, scenery.report_to_pacs(), _Permission(log, holds=0), _Pacs(log), may_have_left=True)
    assert log == ["require"]


def test_an_open_answer_stays_open_when_the_pacs_cannot_be_asked(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    pacs = _Pacs(log, status=DUPLICATE, has=[Unreachable("PACS cannot be reached")])
    with pytest.raises(Ambiguous):
        _send(scenery, scenery.report_to_pacs(), _Permission(log), pacs)


def test_an_open_answer_stays_open_when_the_permission_ended(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    with pytest.raises(Ambiguous):
        _send(scenery, scenery.report_to_pacs(), _Permission(log, holds=2), _Pacs(log, status=DUPLICATE))
    assert log == ["require", "find study", "require", "store", "require"]


def test_a_study_that_is_not_there_yet_is_waited_for(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    with pytest.raises(Lacking, match=r"the PACS does not have study .* yet, or not any more"):
        _send(scenery, scenery.report_to_pacs(), _Permission(log), _Pacs(log, studies=[]))
    assert "store" not in log


@pytest.mark.parametrize(
    ("studies", "told"),
    [
        ((STUDY, STUDY), "the PACS has 2 studies of that UID"),
        ((replace(STUDY, patient_name="Kaya^Zehra"),), r"names another patient for the study \(name\)"),
    ],
)
def test_two_studies_or_another_patient_are_for_a_person(
    scenery: Scenery, log: list[str], studies: Sequence[StudyIdentity], told: str
) -> None:
    scenery.study("matched")
    with pytest.raises(Permanent, match=told):
        _send(scenery, scenery.report_to_pacs(), _Permission(log), _Pacs(log, studies=studies))
    assert "store" not in log


def test_a_name_that_the_pacs_cannot_spell_is_not_another_patient(scenery: Scenery, log: list[str]) -> None:
    """Orthanc as it is installed: DefaultEncoding Latin1, and the letters that it does not have are dropped."""
    scenery.study("matched")
    dropped = replace(STUDY, patient_name="Öztürk^Aye Il", character_set="ISO_IR 100")
    with pytest.raises(Permanent, match="answered in ISO_IR 100, which cannot spell the name") as refused:
        _send(scenery, scenery.report_to_pacs(), _Permission(log), _Pacs(log, studies=[dropped]))
    assert "another patient" not in str(refused.value)
    assert "UTF-8 (ISO_IR 192) or Latin-5 (ISO_IR 148); in Orthanc: DefaultEncoding" in str(refused.value)
    assert "ztürk" not in str(refused.value)
    assert "store" not in log


@pytest.mark.parametrize(
    "differing", [{"character_set": "ISO_IR 192"}, {"character_set": "ISO_IR 100", "birth_date": "19000101"}]
)
def test_another_patient_is_one_in_any_character_set(
    scenery: Scenery, log: list[str], differing: dict[str, str]
) -> None:
    scenery.study("matched")
    other = replace(STUDY, patient_name="Kaya^Zehra", **differing)
    with pytest.raises(Permanent, match="names another patient"):
        _send(scenery, scenery.report_to_pacs(), _Permission(log), _Pacs(log, studies=[other]))


def test_a_pdf_that_the_store_does_not_have_is_waited_for(scenery: Scenery, log: list[str]) -> None:
    scenery.study("matched")
    delivery = scenery.report_to_pacs()
    with scenery.core.database.read() as connection:
        pdf = str(reports.by_id(connection, delivery.subject_id).pdf_sha256)
    assert scenery.core.blobs.remove_stale(pdf, before_s=time.time() + 60)
    with pytest.raises(Transient, match=f"blob {pdf[:12]} is not in the store, .*consilium doctor"):
        _send(scenery, delivery, _Permission(log), _Pacs(log))
    assert "store" not in log


@pytest.mark.parametrize("is_confirmed_by_a_person", [True, False])
def test_an_amendment_names_the_last_version_that_is_there(
    scenery: Scenery, log: list[str], is_confirmed_by_a_person: bool
) -> None:
    scenery.study("matched")
    first, second, third = (scenery.report_to_pacs(version) for version in (1, 2, 3))
    pacs = _Pacs(log, has=[True, True])
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
