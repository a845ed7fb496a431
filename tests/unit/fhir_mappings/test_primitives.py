from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from fhir_mappings.primitives import check_primitive, decode_base64, read_day, read_instant
from gateway.domain.errors import Invalid


@pytest.mark.parametrize(
    ("value", "primitive"),
    [
        ("2026", "date"),
        ("2026-02-28", "dateTime"),
        ("2026-02-28T23:59:60Z", "dateTime"),
        ("2026-02-28T10:00:00.123456789+14:00", "instant"),
        (0, "unsignedInt"),
        (Decimal("1.00"), "decimal"),
        (True, "boolean"),
        ("a b", "code"),
        ("urn:oid:1.2.840", "oid"),
        ("AA\n==", "base64Binary"),
    ],
)
def test_a_value_of_its_type_passes(value: object, primitive: str) -> None:
    check_primitive(value, primitive, at="x")


@pytest.mark.parametrize(
    ("value", "primitive"),
    [
        ("0000", "date"),
        ("2026-02-30", "date"),
        ("2026-2-3", "date"),
        ("2026-02-28T10:00Z", "dateTime"),
        ("2026-02-28T10:00:00", "dateTime"),
        ("2026-02-28T24:00:00Z", "dateTime"),
        ("2026-02-28", "instant"),
        (-1, "unsignedInt"),
        (0, "positiveInt"),
        (2**31, "integer"),
        (True, "integer"),
        (1, "boolean"),
        ("1.0", "decimal"),
        (True, "decimal"),
        (" a", "code"),
        ("a  b", "code"),
        ("with space", "uri"),
        ("", "string"),
        ("x" * (1024 * 1024 + 1), "string"),
        ("A", "base64Binary"),
        ("", "base64Binary"),
        (None, "string"),
    ],
)
def test_a_value_of_another_form_is_refused(value: object, primitive: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_primitive(value, primitive, at="Patient.x")
    assert refusal.value.at == "Patient.x"


def test_an_instant_keeps_its_zone_and_a_day_is_that_of_its_author() -> None:
    text = "2026-03-01T00:30:00+03:00"
    assert read_instant(text, at="x") == datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=3)))
    assert read_day(text, at="x") == date(2026, 3, 1)
    for wrong in ("2026-03-01", "2026-03-01T00:30:60Z", "2026", None):
        with pytest.raises(Invalid):
            read_instant(wrong, at="x")
    with pytest.raises(Invalid):
        read_day("2026-03", at="x")


def test_base64_is_decoded_strictly() -> None:
    assert decode_base64("JVBE\n Ri0=") == b"%PDF-"
    assert decode_base64("JVBERi0*=") is None
