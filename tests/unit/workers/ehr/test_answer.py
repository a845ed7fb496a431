"""Statuses become errors, and nothing an EHR writes in free text comes through."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.errors import Permanent, Transient, Unavailable
from workers.ehr.answer import MAX_RETRY_AFTER_S, Answer, issue_codes, refuse, retry_after_s

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("999999999", MAX_RETRY_AFTER_S),
        ("Sun, 01 Mar 2026 12:05:00 GMT", 300.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:05:00 -0000", 300.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("9" * 5000, None),
        ("Sun, 99 Mar 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_is_worth_another_try(status: int) -> None:
    later = (NOW + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    error = refuse(Answer(status, {"retry-after": later}, b"<html>busy</html>"), NOW)

    assert isinstance(error, Transient)
    assert error.retry_after_s == 30
    assert isinstance(error, Unavailable) is (status in (429, 502, 503, 504))


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 418, 422])
def test_what_needs_a_person(status: int) -> None:
    error = refuse(Answer(status, {}, b""), NOW)

    assert isinstance(error, Permanent)
    assert f"HTTP {status}" in str(error)


def test_only_known_issue_codes_are_shown() -> None:
    issues = [
        {"severity": "error", "code": "required", "diagnostics": "Patient Ayse Ozturk has no name"},
        {"code": "AyseOzturk", "details": {"text": "Ayse Ozturk"}, "expression": ["Ayse.Ozturk"]},
        {"code": "required"},
        {"code": ["value"]},
        "invalid",
        {"code": "business-rule"},
    ]
    body = json.dumps({"resourceType": "OperationOutcome", "issue": issues}).encode()

    message = str(refuse(Answer(422, {}, body), NOW))

    assert message.endswith("HTTP 422 (required, business-rule).")
    assert "Ozturk" not in message


@pytest.mark.parametrize("issue", [None, {}, "x", 7, [[]]])
def test_a_malformed_outcome_has_no_codes(issue: object) -> None:
    assert issue_codes({"resourceType": "OperationOutcome", "issue": issue}) == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[1]",
        b"{}",
        b'{"resourceType": 7}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        b"9" * 10_000,
    ],
)
def test_what_is_not_fhir_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(Permanent, match="not a FHIR server at that URL"):
        Answer(200, {}, body).expect("Bundle")


def test_another_resource_is_refused_without_repeating_its_type() -> None:
    with pytest.raises(Permanent) as caught:
        Answer(200, {}, b'{"resourceType": "Ozturk"}').expect("Bundle")

    assert "Ozturk" not in str(caught.value)


def test_an_html_page_under_4xx_is_not_a_fhir_server() -> None:
    error = refuse(Answer(404, {"content-type": "text/html"}, b"<html>"), NOW)

    assert "not a FHIR server at that URL" in str(error)
