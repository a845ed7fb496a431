from decimal import Decimal

import pytest

from fhir_mappings.json_text import read_json, read_own_json, write_json
from gateway.domain.errors import Invalid


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1.00,"b":[1e2,-0.0,12345678901234567890],"ş":"ğ\\u0001\\"\\\\","c":null,"d":true,"e":{},"f":[]}',
        '"x"',
        "7",
    ],
)
def test_what_is_read_is_written_again_as_it_was(text: str) -> None:
    assert write_json(read_json(text.encode())).decode() == text
    assert write_json(read_own_json(text.encode())).decode() == text


def test_a_number_is_a_decimal() -> None:
    number = read_json(b"1.50")
    assert isinstance(number, Decimal)
    assert number == Decimal("1.5")
    assert write_json({"ours": Decimal("1E+2")}) == b'{"ours":100}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"01",
        b"\xff",
        b'{"a":1,"a":1}',
        b"NaN",
        b"[-Infinity]",
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b"1e99999",
        b"9" * 61,
        b"0." + b"9" * 60,
        b'"\n"',
        b"[" * 51 + b"]" * 51,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_not_strict_json_is_refused_without_a_quotation(text: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        read_json(text)
    assert "ud800" not in str(refusal.value)
    assert len(str(refusal.value)) < 80


def test_the_deepest_nesting_is_taken() -> None:
    assert write_json(read_json(b"[" * 49 + b"[1]" + b"]" * 49)) == b"[" * 50 + b"1" + b"]" * 50
    with pytest.raises(Invalid, match="2 levels"):
        read_json(b'{"a":[{}]}', deepest=2)
