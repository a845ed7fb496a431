"""The order of messages in one association."""

from typing import cast

import pytest

from dicom_node.scp.command import C_ECHO_RQ, C_STORE_RQ, Command, encode_response
from dicom_node.scp.dialogue import Answer, Dialogue
from dicom_node.scp.negotiation import AcceptedContext
from dicom_node.scp.pdu import ProtocolViolation
from dicom_node.scp.storing import Outcome, Storing

CT = "1.2.840.10008.5.1.4.1.1.2"
CONTEXTS = {1: AcceptedContext(CT, "1.2.840.10008.1.2"), 3: AcceptedContext("1.2.840.10008.1.1", "1.2.840.10008.1.2")}
COMMAND, LAST = 1, 2


class Recording:
    """Stands for one C-STORE."""

    def __init__(self) -> None:
        self.received = b""
        self.is_discarded = False

    def write(self, fragment: memoryview) -> None:
        self.received += fragment

    def finish(self) -> Outcome:
        return Outcome(0)

    def discard(self) -> None:
        self.is_discarded = True


def dialogue(recording: Recording | None = None) -> Dialogue:
    return Dialogue(CONTEXTS, lambda command, context: cast(Storing, recording or Recording()))


def request(field: int, *, has_data_set: bool) -> bytes:
    """A request, made from the response to it: the same elements but for three values."""
    encoded = encode_response(Command(field & 0x7FFF, 1, CT, "1.2.3", False), 0)
    encoded = encoded.replace((field | 0x8000).to_bytes(2, "little"), field.to_bytes(2, "little"), 1)
    return encoded.replace(b"\x01\x01", b"\x01\x00", 1) if has_data_set else encoded


STORE, ECHO = request(C_STORE_RQ, has_data_set=True), request(C_ECHO_RQ, has_data_set=False)


def feed(one: Dialogue, context_id: int, control: int, fragment: bytes) -> Answer | None:
    return one.feed(context_id, control, memoryview(fragment))


def test_an_echo_is_answered_and_is_no_promise() -> None:
    answer = feed(dialogue(), 3, COMMAND | LAST, ECHO)
    assert answer is not None
    assert (answer.context_id, answer.outcome.status, answer.is_promise) == (3, 0, False)


def test_a_store_is_answered_after_its_last_fragment() -> None:
    recording = Recording()
    one = dialogue(recording)
    assert feed(one, 1, COMMAND, STORE[:30]) is None
    assert feed(one, 1, COMMAND | LAST, STORE[30:]) is None
    assert feed(one, 1, 0, b"abc") is None
    answer = feed(one, 1, LAST, b"def")
    assert answer is not None
    assert answer.is_promise
    assert recording.received == b"abcdef"


def test_a_store_without_a_data_set_is_refused() -> None:
    answer = feed(dialogue(), 1, COMMAND | LAST, request(C_STORE_RQ, has_data_set=False))
    assert answer is not None
    assert answer.outcome.status == 0xC000


@pytest.mark.parametrize("has_data_set", [False, True])
def test_an_operation_we_do_not_serve_is_named_unrecognised(has_data_set: bool) -> None:
    one = dialogue()
    answer = feed(one, 1, COMMAND | LAST, request(0x0020, has_data_set=has_data_set))
    if has_data_set:
        assert answer is None
        answer = feed(one, 1, LAST, b"identifier")
    assert answer is not None
    assert answer.outcome.status == 0x0211
    assert feed(one, 3, COMMAND | LAST, ECHO) is not None


@pytest.mark.parametrize(
    ("context_id", "control", "fragment"),
    [(5, COMMAND | LAST, ECHO), (1, LAST, b"data"), (1, COMMAND, bytes(5000)), (1, COMMAND | LAST, b"rubbish!")],
)
def test_what_a_peer_may_not_begin_with(context_id: int, control: int, fragment: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        feed(dialogue(), context_id, control, fragment)


@pytest.mark.parametrize(("context_id", "control"), [(3, 0), (1, COMMAND | LAST)])
def test_what_a_peer_may_not_send_within_a_store(context_id: int, control: int) -> None:
    one = dialogue()
    feed(one, 1, COMMAND | LAST, STORE)
    with pytest.raises(ProtocolViolation):
        feed(one, context_id, control, b"xx")


def test_a_broken_off_store_is_discarded() -> None:
    recording = Recording()
    one = dialogue(recording)
    feed(one, 1, COMMAND | LAST, STORE)
    one.discard()
    assert recording.is_discarded
