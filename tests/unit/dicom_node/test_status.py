"""DIMSE statuses in both directions."""

import pytest

from dicom_node.status import (
    SopClassMismatch,
    StoreOutcome,
    answer_to_store,
    judge_store,
    require_delivered,
)
from gateway.domain.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    Full,
    GatewayError,
    Invalid,
    NotFound,
    Permanent,
    Transient,
    Unprocessable,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Full("x"), 0xA700),
        (Transient("x"), 0xA700),
        (SopClassMismatch("x"), 0xA900),
        (Invalid("x"), 0xC000),
        (Unprocessable("x"), 0xC000),
        (Forbidden("x"), 0x0124),
        (Conflict("x"), 0xC001),
        (NotFound("x"), 0xC000),
        (Permanent("x"), 0xC000),
    ],
)
def test_every_error_has_its_answer(error: GatewayError, status: int) -> None:
    assert answer_to_store(error) == status


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007, 0xB123])
def test_success_and_warnings_are_delivered(status: int) -> None:
    assert bool(require_delivered(status)) is (status != 0)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0x0111, Ambiguous),
        (0xFF00, Ambiguous),
        (0x1234, Ambiguous),
        (0xA700, Transient),
        (0xA7FF, Transient),
        (0x0110, Transient),
        (0x0213, Transient),
        (0xA800, Permanent),
        (0xA900, Permanent),
        (0xC123, Permanent),
        (0x0122, Permanent),
        (0x0124, Permanent),
        (0x0105, Permanent),
    ],
)
def test_what_is_not_delivered_names_its_status(status: int, error: type[GatewayError]) -> None:
    with pytest.raises(error, match=f"0x{status:04X}"):
        require_delivered(status)


def test_every_status_has_a_verdict() -> None:
    verdicts = [judge_store(status) for status in range(0x10000)]
    delivered = [status for status, verdict in enumerate(verdicts) if verdict.outcome is StoreOutcome.DELIVERED]
    assert all(status >> 12 == 0xB or status in (0x0000, 0x0001, 0x0107, 0x0116) for status in delivered)
