"""The strict EHR refuses what a strict EHR refuses and finds what it holds."""

from typing import Any

import pytest

from tests.integration.peers.strict_ehr_calls import (
    PATIENT_IDENTIFIER,
    REPORT_TOKEN,
    client,
    get,
    post,
    put,
    refusal,
)
from tests.peers.strict_ehr import StrictEhr


def test_a_report_is_created_read_found_and_updated(ehr: StrictEhr, report: dict[str, Any]) -> None:
    created = post(ehr, report)
    assert created.status_code == 201
    assert created.headers["ETag"] == 'W/"1"'
    assert created.headers["Location"] == f"{ehr.base_url}/DiagnosticReport/{created.json()['id']}/_history/1"
    read = get(ehr, f"DiagnosticReport/{created.json()['id']}")
    assert read.json()["presentedForm"] == report["presentedForm"]
    for query in (
        {"identifier": REPORT_TOKEN},
        {"patient": "p1"},
        {"subject": "Patient/p1", "status": "final,amended"},
    ):
        assert get(ehr, "DiagnosticReport", query).json()["total"] == 1, query
    amended = {**read.json(), "status": "amended"}
    assert put(ehr, amended, match='W/"7"').status_code == 412
    updated = put(ehr, amended, match='W/"1"')
    assert (updated.status_code, updated.headers["ETag"]) == (200, 'W/"2"')
    assert [each["status"] for each in ehr.reports()] == ["amended"]
    assert [each.method for each in ehr.writes()] == ["POST", "PUT", "PUT"]


@pytest.mark.parametrize(
    "query", [{"identifier": "urn:oid:1.2.4|R2"}, {"identifier": "|R1"}, {"patient": "p2"}, {"status": "amended"}]
)
def test_a_search_finds_only_what_matches(ehr: StrictEhr, report: dict[str, Any], query: dict[str, str]) -> None:
    post(ehr, report)
    assert get(ehr, "DiagnosticReport", query).json()["total"] == 0


def test_an_unknown_search_parameter_is_refused_not_ignored(ehr: StrictEhr) -> None:
    assert get(ehr, "DiagnosticReport", {"identfier": "R1"}).status_code == 400


@pytest.mark.parametrize("missing", ["status", "code", "subject"])
def test_a_missing_element_is_refused(ehr: StrictEhr, report: dict[str, Any], missing: str) -> None:
    del report[missing]
    assert refusal(post(ehr, report), 422) == [f"DiagnosticReport.{missing} is missing"]
    assert ehr.reports() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": {"reference": "Patient/nobody"}},
        {"subject": {"identifier": {"system": "urn:oid:1.2.3", "value": "0"}}},
        {"subject": {"reference": "https://elsewhere.example/fhir/Patient/p1"}},
        {"basedOn": [{"identifier": {"system": "urn:oid:1.2.5", "value": "PLACER-2"}}]},
        {"basedOn": [{"reference": "ServiceRequest/nothing"}]},
        {"performer": [{"reference": "Practitioner/nobody"}]},
        {"resultsInterpreter": [{"reference": "#nobody"}]},
    ],
)
def test_an_unknown_reference_or_identifier_is_refused(
    ehr: StrictEhr, report: dict[str, Any], changed: dict[str, Any]
) -> None:
    (issue,) = refusal(post(ehr, {**report, **changed}), 422)
    assert "nothing here by that reference" in issue


def test_the_order_of_another_patient_is_refused(ehr: StrictEhr, report: dict[str, Any]) -> None:
    ehr.add_patient({"id": "p2"})
    issues = refusal(post(ehr, {**report, "subject": {"reference": "Patient/p2"}}), 422)
    assert issues == ["the order belongs to another patient"]


@pytest.mark.parametrize(
    "subject", [{"identifier": PATIENT_IDENTIFIER}, {"reference": "Patient/p1", "display": "A. Ö."}]
)
def test_a_known_patient_is_accepted_by_id_or_identifier(
    ehr: StrictEhr, report: dict[str, Any], subject: dict[str, Any]
) -> None:
    assert post(ehr, {**report, "subject": subject}).status_code == 201


@pytest.mark.parametrize(
    ("form", "status", "told"),
    [
        ({"data": "AAAA"}, 422, "no contentType"),
        ({"contentType": "text/html", "data": "not base64!"}, 422, "not base64"),
        ({"contentType": "text/html", "data": "AAAA", "size": 7}, 422, "size"),
        ({"contentType": "text/html", "data": "AAAA", "hash": "AAAA"}, 422, "hash"),
        ({"contentType": "application/pdf", "data": "AAAA"}, 422, "not a PDF"),
        ({"contentType": "text/html", "data": ""}, 400, "is empty"),
    ],
)
def test_a_bad_attachment_is_refused(
    ehr: StrictEhr, report: dict[str, Any], form: dict[str, Any], status: int, told: str
) -> None:
    (issue,) = refusal(post(ehr, {**report, "presentedForm": [form]}), status)
    assert told in issue


@pytest.mark.parametrize(
    "changed",
    [
        {"composition": {"reference": "Composition/1"}},
        {"status": "finished"},
        {"category": []},
        {"issued": "2025-11-04"},
        {"effectiveDateTime": "2025", "effectivePeriod": {"start": "2025"}},
        {"identifier": {"system": "urn:oid:1.2.4", "value": "R1"}},
    ],
)
def test_what_is_not_r4_is_refused(ehr: StrictEhr, report: dict[str, Any], changed: dict[str, Any]) -> None:
    assert refusal(post(ehr, {**report, **changed}), 400)


def test_bodies_that_are_no_such_resource_are_refused(ehr: StrictEhr, report: dict[str, Any]) -> None:
    url = f"{ehr.base_url}/DiagnosticReport"
    fhir = {"Content-Type": "application/fhir+json"}
    assert client().post(url, content=b"{", headers=fhir).status_code == 400
    assert client().post(url, json={**report, "resourceType": "Observation"}, headers=fhir).status_code == 400
    assert client().post(url, content=b"<a/>", headers={"Content-Type": "application/fhir+xml"}).status_code == 415
    assert client().post(f"{ehr.base_url}/Composition", json=report, headers=fhir).status_code == 404
    assert client().post(f"{ehr.base_url}/Patient", json={}, headers=fhir).status_code == 405
    assert client().delete(f"{url}/1").json()["resourceType"] == "OperationOutcome"
