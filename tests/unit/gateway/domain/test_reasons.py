"""The words that a person leaves in the audit trail are one short line."""

import pytest

from gateway.domain.errors import Invalid
from gateway.domain.reasons import LONGEST, check_reason


@pytest.mark.parametrize("text", ["letter of 3 May", "mektup geldi: imza doğrulandı", "x" * LONGEST])
def test_a_short_line_is_kept_as_typed(text: str) -> None:
    assert check_reason(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "  ", "x" * (LONGEST + 1), "one\ntwo", "a\x1b[2Kb", "a\u202eb", "a\u2028b", "a\x00b"],
    ids=["none", "blank", "long", "lines", "escape", "override", "separator", "nul"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="one line") as refused:
        check_reason(text)
    assert refused.value.at == "reason"
