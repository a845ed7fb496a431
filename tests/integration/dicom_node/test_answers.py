"""An answer belongs to whoever asked, and not to pynetdicom's own thread of the association."""

import threading
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from dicom_node.scu import Sender, Timeouts
from dicom_node.scu.association import associated
from tests.peers import generated
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_pacs import StrictPacs

(IMAGE,) = generated.ct_series(slices=1, study_instance_uid="1.2.826.0.1.3680043.8.498.7")
DEADLINE_S = 10.0
QUICK = Timeouts(connect_s=2, association_s=2, response_s=1)


class Checkpoint(threading.Event):
    """The gate at which the association's own thread pauses, held open just long enough to do harm.

    Once armed, the thread goes on from the gate only when the answer is there, and the asker looks for the answer only
    after the thread has come back to the gate.
    """

    def __init__(self) -> None:
        super().__init__()
        self.set()
        self.is_armed = threading.Event()
        self.is_inside = threading.Event()
        self.has_answer = threading.Event()
        self.is_back = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        if self.is_inside.is_set():
            self.is_back.set()
        elif self.is_armed.is_set():
            self.is_inside.set()
            return self.has_answer.wait(DEADLINE_S)
        return super().wait(timeout)


def let_the_thread_look_first(association: Association, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint()
    send, put = association.dimse.send_msg, association.dimse.msg_queue.put

    def send_and_wait(*arguments: Any) -> None:
        send(*arguments)
        assert checkpoint.is_back.wait(DEADLINE_S)

    def put_and_tell(*arguments: Any) -> None:
        put(*arguments)
        checkpoint.has_answer.set()

    monkeypatch.setattr(association, "_reactor_checkpoint", checkpoint)
    monkeypatch.setattr(association.dimse, "send_msg", send_and_wait)
    monkeypatch.setattr(association.dimse.msg_queue, "put", put_and_tell)
    checkpoint.is_armed.set()
    assert checkpoint.is_inside.wait(DEADLINE_S)


def test_an_answer_is_not_lost_to_the_thread_of_the_association(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    contexts = [build_context(str(IMAGE.SOPClassUID), str(IMAGE.file_meta.TransferSyntaxUID))]
    with StrictPacs() as pacs:
        pacs.register(RegisteredStudy.of(IMAGE))
        with associated(pacs.address, "CONSILIUM", contexts, QUICK) as association:
            let_the_thread_look_first(association, monkeypatch)
            sender = Sender(association, pacs.address.ae_title, spool_folder=tmp_path, may_decompress=False)
            assert sender.send(generated.part10(IMAGE)) == 0
    assert len(pacs.stored) == 1
