"""What a peer does to a question, and what the caller is told."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from dicom_node.encapsulated_pdf import ObjectReference
from dicom_node.scu import query
from gateway.domain.errors import Unreachable
from gateway.domain.party import DicomAddress

NODE = DicomAddress("NODE", "10.0.0.6", 104)


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
        lambda: query.find_study(NODE, "CONSILIUM", "1.2.3"),
        lambda: query.has_instance(NODE, "CONSILIUM", ObjectReference("1.2.3", "1.2.3.4", "1.2", "1.2.3.4.5")),
        lambda: query.find_instances(NODE, "CONSILIUM", "1.2.3"),
    ],
    ids=["echo", "find_study", "has_instance", "find_instances"],
)
def test_a_peer_that_leaves_before_it_is_asked_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object]
) -> None:
    monkeypatch.setattr(query, "associated", lambda *_values: nullcontext(_Gone()))
    with pytest.raises(Unreachable, match="the association with NODE is gone"):
        ask()
