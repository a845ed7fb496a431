"""What a peer does to a question, and what the caller is told."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dicom_node.encapsulated_pdf import ObjectReference
from dicom_node.scu import query
from gateway.domain.errors import Conflict, Unreachable
from gateway.domain.party import DicomAddress
from tests.core import unasked
from tests.unit.dicom_node.encoded import element

NODE = DicomAddress("NODE", "10.0.0.6", 104)
OBJECT = ObjectReference("1.2.3", "1.2.3.4", "1.2", "1.2.3.4.5")


class _Gone:
    """The association of a peer that has just left, as pynetdicom tells of it."""

    def send_c_echo(self) -> object:
        raise RuntimeError("The association with a peer SCP must be established before sending a C-ECHO request")

    def send_c_find(self, *_values: object) -> object:
        raise RuntimeError("The association with a peer SCP must be established before sending a C-FIND request")


@pytest.mark.parametrize(
    "ask",
    [
        lambda: query.echo(NODE, "CONSILIUM"),
        lambda: query.find_study(NODE, "CONSILIUM", "1.2.3", before_send=unasked),
        lambda: query.has_instance(NODE, "CONSILIUM", OBJECT, before_send=unasked),
        lambda: query.find_instances(NODE, "CONSILIUM", "1.2.3", before_send=unasked),
    ],
    ids=["echo", "find_study", "has_instance", "find_instances"],
)
def test_a_peer_that_leaves_before_it_is_asked_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object]
) -> None:
    monkeypatch.setattr(query, "associated", lambda *_values: nullcontext(_Gone()))
    with pytest.raises(Unreachable, match="the association with NODE is gone"):
        ask()


class _Archive:
    """Answers a query for series with two, and notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def send_c_find(self, query: Dataset, _model: object) -> Iterator[tuple[Dataset, Dataset | None]]:
        self.asked.append(query.QueryRetrieveLevel)
        if query.QueryRetrieveLevel == "SERIES":
            for uid in ("1.2.3.1", "1.2.3.2"):
                yield _status(0xFF00), read_dataset(BytesIO(element(0x0020000E, "UI", uid.encode())), False, True)
        yield _status(0x0000), None


def _status(code: int) -> Dataset:
    status = Dataset()
    status.Status = code
    return status


def test_the_permission_is_asked_for_before_each_query(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = _Archive()
    monkeypatch.setattr(query, "associated", lambda *_values: nullcontext(archive))
    query.find_instances(NODE, "CONSILIUM", "1.2.3", before_send=lambda: archive.asked.append("may I"))
    assert archive.asked == ["may I", "SERIES", "may I", "IMAGE", "may I", "IMAGE"]


def test_nothing_more_is_asked_when_the_permission_ends_between_two_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = _Archive()
    monkeypatch.setattr(query, "associated", lambda *_values: nullcontext(archive))

    def refused_after_the_series() -> None:
        if archive.asked:
            raise Conflict("the grant was cancelled; nothing more is sent")

    with pytest.raises(Conflict, match="cancelled"):
        query.find_instances(NODE, "CONSILIUM", "1.2.3", before_send=refused_after_the_series)
    assert archive.asked == ["SERIES"]
