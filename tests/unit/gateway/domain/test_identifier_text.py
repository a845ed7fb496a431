"""What a business identifier may be written with: what looks the same is the same."""

import pytest

from gateway.domain.identifier_text import is_exact


@pytest.mark.parametrize(
    "text", ["4711", "MRN 4711", "a-b/c.d", "Öğrenci 12", "病歴 7", "urn:oid:1.2.3", "https://clinic.example/mrn", "क्ष"]
)
def test_what_can_be_seen(text: str) -> None:
    assert is_exact(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " 4711", "4711 ", "4711\t", "\n4711", "47  11", "47\t11", "47\r\n11"),
        *("4711\u00a0", "47\u00a011", "47\u202f11", "47\u300011", "47\u2028 11"),
        *("4711\u200b", "\ufeff4711", "47\u00ad11", "47\u200d11", "\u202e4711", "47\u206011", "47\x0011", "47\x8511"),
        *(
            "47\ufe0f11",
            "47\U000e010011",
            "47\u034f11",
            "\u3164",
            "47\u115f11",
            "47\u280011",
            "47\ue00011",
            "47\ud80011",
        ),
    ],
)
def test_what_cannot_be_seen(text: str) -> None:
    assert not is_exact(text)
