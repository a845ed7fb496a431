"""The strict EHR refuses what a strict EHR refuses, says in /metadata what it offers, and misbehaves when told to."""

import base64
import functools
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.peers.generated import pathology_pdf
from tests.peers.processes import is_listening
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_ehr_access import Access
from tests.peers.strict_ehr_script import lose, refuse, store_then_silence

_PATIENT_IDENTIFIER = {"system": "urn:oid:1.2.3", "value": "48151"}
_ORDER_IDENTIFIER = {"system": "urn:oid:1.2.5", "value": "PLACER-1"}
_REPORT_TOKEN = "urn:oid:1.2.4|R1"


@pytest.fixture
def ehr() -> Iterator[StrictEhr]:
    with StrictEhr() as started:
        _fill(started)
        yield started


@pytest.fixture
def report() -> dict[str, Any]:
    pdf = pathology_pdf()
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:oid:1.2.4", "value": "R1"}],
        "basedOn": [{"identifier": _ORDER_IDENTIFIER}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": {"reference": "Patient/p1"},
        "issued": "2025-11-04T10:00:00+03:00",
        "performer": [{"display": "The centre"}],
        "presentedForm": [
            {
                "contentType": "application/pdf",
                "data": base64.b64encode(pdf).decode(),
                "size": len(pdf),
                "hash": base64.b64encode(hashlib.sha1(pdf).digest()).decode(),
            }
        ],
    }


def test_a_report_is_created_read_found_and_updated(ehr: StrictEhr, report: dict[str, Any]) -> None:
    created = _post(ehr, report)
    assert created.status_code == 201
    assert created.headers["ETag"] == 'W/"1"'
    assert created.headers["Location"] == f"{ehr.base_url}/DiagnosticReport/{created.json()['id']}/_history/1"
    read = _get(ehr, f"DiagnosticReport/{created.json()['id']}")
    assert read.json()["presentedForm"] == report["presentedForm"]
    for query in (
        {"identifier": _REPORT_TOKEN},
        {"patient": "p1"},
        {"subject": "Patient/p1", "status": "final,amended"},
    ):
        assert _get(ehr, "DiagnosticReport", query).json()["total"] == 1, query
    amended = {**read.json(), "status": "amended"}
    assert _put(ehr, amended, match='W/"7"').status_code == 412
    updated = _put(ehr, amended, match='W/"1"')
    assert (updated.status_code, updated.headers["ETag"]) == (200, 'W/"2"')
    assert [each["status"] for each in ehr.reports()] == ["amended"]
    assert [each.method for each in ehr.writes()] == ["POST", "PUT", "PUT"]


@pytest.mark.parametrize(
    "query", [{"identifier": "urn:oid:1.2.4|R2"}, {"identifier": "|R1"}, {"patient": "p2"}, {"status": "amended"}]
)
def test_a_search_finds_only_what_matches(ehr: StrictEhr, report: dict[str, Any], query: dict[str, str]) -> None:
    _post(ehr, report)
    assert _get(ehr, "DiagnosticReport", query).json()["total"] == 0


def test_an_unknown_search_parameter_is_refused_not_ignored(ehr: StrictEhr) -> None:
    assert _get(ehr, "DiagnosticReport", {"identfier": "R1"}).status_code == 400


@pytest.mark.parametrize("missing", ["status", "code", "subject"])
def test_a_missing_element_is_refused(ehr: StrictEhr, report: dict[str, Any], missing: str) -> None:
    del report[missing]
    assert _refusal(_post(ehr, report), 422) == [f"DiagnosticReport.{missing} is missing"]
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
    (issue,) = _refusal(_post(ehr, {**report, **changed}), 422)
    assert "nothing here by that reference" in issue


def test_the_order_of_another_patient_is_refused(ehr: StrictEhr, report: dict[str, Any]) -> None:
    ehr.add_patient({"id": "p2"})
    issues = _refusal(_post(ehr, {**report, "subject": {"reference": "Patient/p2"}}), 422)
    assert issues == ["the order belongs to another patient"]


@pytest.mark.parametrize(
    "subject", [{"identifier": _PATIENT_IDENTIFIER}, {"reference": "Patient/p1", "display": "A. Ö."}]
)
def test_a_known_patient_is_accepted_by_id_or_identifier(
    ehr: StrictEhr, report: dict[str, Any], subject: dict[str, Any]
) -> None:
    assert _post(ehr, {**report, "subject": subject}).status_code == 201


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
    (issue,) = _refusal(_post(ehr, {**report, "presentedForm": [form]}), status)
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
    assert _refusal(_post(ehr, {**report, **changed}), 400)


def test_bodies_that_are_no_such_resource_are_refused(ehr: StrictEhr, report: dict[str, Any]) -> None:
    url = f"{ehr.base_url}/DiagnosticReport"
    fhir = {"Content-Type": "application/fhir+json"}
    assert _client().post(url, content=b"{", headers=fhir).status_code == 400
    assert _client().post(url, json={**report, "resourceType": "Observation"}, headers=fhir).status_code == 400
    assert _client().post(url, content=b"<a/>", headers={"Content-Type": "application/fhir+xml"}).status_code == 415
    assert _client().post(f"{ehr.base_url}/Composition", json=report, headers=fhir).status_code == 404
    assert _client().post(f"{ehr.base_url}/Patient", json={}, headers=fhir).status_code == 405
    assert _client().delete(f"{url}/1").json()["resourceType"] == "OperationOutcome"


def test_conditional_create_keeps_one(ehr: StrictEhr, report: dict[str, Any]) -> None:
    assert [_post(ehr, report, condition=True).status_code for _ in range(2)] == [201, 200]
    assert len(ehr.reports()) == 1
    _post(ehr, report)
    assert _post(ehr, report, condition=True).status_code == 412


def test_where_it_is_not_offered_the_condition_is_not_looked_at(report: dict[str, Any]) -> None:
    with StrictEhr(conditional_create=False, update_create=True) as ehr:
        _fill(ehr)
        assert _capabilities(ehr)["conditionalCreate"] is False
        assert _capabilities(ehr)["updateCreate"] is True
        assert [_post(ehr, report, condition=True).status_code for _ in range(2)] == [201, 201]
        assert [_put(ehr, {**report, "id": "ours-1"}).status_code for _ in range(2)] == [201, 200]
        assert [each["id"] for each in ehr.reports()].count("ours-1") == 1
        assert _put(ehr, {**report, "id": "ours_1"}).status_code == 400


def test_ids_of_the_client_are_refused_unless_offered(ehr: StrictEhr, report: dict[str, Any]) -> None:
    assert _capabilities(ehr)["updateCreate"] is False
    assert _put(ehr, {**report, "id": "ours-1"}).status_code == 405
    assert ehr.reports() == []


def test_ignored_elements_are_dropped_in_silence(report: dict[str, Any]) -> None:
    with StrictEhr(ignores={"presentedForm", "identifier"}) as ehr:
        _fill(ehr)
        created = _post(ehr, report)
        assert created.status_code == 201
        assert not {"presentedForm", "identifier"} & created.json().keys()
        assert _get(ehr, "DiagnosticReport", {"identifier": _REPORT_TOKEN}).json()["total"] == 0


def test_no_search_where_none_is_offered(report: dict[str, Any]) -> None:
    with StrictEhr(is_searchable=False, conditional_create=False) as ehr:
        _fill(ehr)
        assert {"code": "search-type"} not in _capabilities(ehr)["interaction"]
        assert _get(ehr, "DiagnosticReport", {"identifier": _REPORT_TOKEN}).status_code == 405
        assert _post(ehr, report).status_code == 201


def test_scripted_refusals_come_first(report: dict[str, Any]) -> None:
    with StrictEhr(answers=[503, refuse(429, retry_after="2")]) as ehr:
        _fill(ehr)
        answers = [_post(ehr, report) for _ in range(3)]
        assert [each.status_code for each in answers] == [503, 429, 201]
        assert [each.headers.get("Retry-After") for each in answers] == [None, "2", None]
        assert len(ehr.reports()) == 1
        assert len(ehr.writes()) == 3


def test_it_stores_and_does_not_answer_in_time(ehr: StrictEhr, report: dict[str, Any]) -> None:
    ehr.script.add(store_then_silence(30))
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        _post(ehr, report, timeout_s=0.5)
    assert _get(ehr, "DiagnosticReport", {"identifier": _REPORT_TOKEN}).json()["total"] == 1
    assert _post(ehr, report, condition=True).status_code == 200
    ehr.stop()
    assert time.monotonic() - began < 10


def test_it_claims_success_and_keeps_nothing(ehr: StrictEhr, report: dict[str, Any]) -> None:
    ehr.script.add(lose(201))
    answer = _post(ehr, report)
    assert answer.status_code == 201
    assert _client().get(answer.headers["Location"].partition("/_history")[0]).status_code == 404
    assert ehr.reports() == []


def test_a_search_comes_in_pages(report: dict[str, Any]) -> None:
    with StrictEhr(page_size=2) as ehr:
        _fill(ehr)
        for _ in range(5):
            _post(ehr, report)
        page = _get(ehr, "DiagnosticReport", {"patient": "p1"}).json()
        found = page["entry"]
        while following := [link["url"] for link in page["link"] if link["relation"] == "next"]:
            page = _client().get(following[0]).json()
            found += page["entry"]
        assert len({each["resource"]["id"] for each in found}) == page["total"] == 5


def test_a_token_is_wanted_given_out_and_revoked(report: dict[str, Any]) -> None:
    with StrictEhr(access=Access(client_id="gateway", client_secret="s3cret")) as ehr:
        _fill(ehr)
        refused = _post(ehr, report)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        smart = _client().get(f"{ehr.base_url}/.well-known/smart-configuration").json()
        grant = {"grant_type": "client_credentials"}
        assert _client().post(smart["token_endpoint"], data=grant, auth=("gateway", "wrong")).status_code == 401
        token = _client().post(smart["token_endpoint"], data=grant, auth=("gateway", "s3cret")).json()["access_token"]
        assert _post(ehr, report, token=token).status_code == 201
        ehr.access.revoke_all()
        assert _post(ehr, report, token=token).status_code == 401
        by_form = {**grant, "client_id": "gateway", "client_secret": "s3cret"}
        assert _client().post(ehr.token_url, data=by_form).status_code == 200
        assert ehr.access.tokens_given_out == 2


def test_a_fixed_token_is_compared(report: dict[str, Any]) -> None:
    with StrictEhr(access=Access(bearer_token="fixed")) as ehr:
        _fill(ehr)
        assert [_post(ehr, report, token=each).status_code for each in ("other", "fixed")] == [401, 201]
        assert _client().get(f"{ehr.base_url}/metadata").json()["fhirVersion"] == "4.0.1"


def test_it_stops_and_comes_back_with_its_records(ehr: StrictEhr, report: dict[str, Any]) -> None:
    _post(ehr, report)
    url = ehr.base_url
    ehr.stop()
    assert not is_listening(int(httpx.URL(url).port or 0))
    ehr.start()
    assert ehr.base_url == url
    assert _get(ehr, "DiagnosticReport", {"identifier": _REPORT_TOKEN}).json()["total"] == 1


def _fill(ehr: StrictEhr) -> None:
    ehr.add_patient({"id": "p1", "identifier": [_PATIENT_IDENTIFIER]})
    ehr.add_order({"id": "o1", "identifier": [_ORDER_IDENTIFIER], "subject": {"reference": "Patient/p1"}})


@functools.cache
def _client() -> httpx.Client:
    return httpx.Client(timeout=10, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def _post(
    ehr: StrictEhr, resource: dict[str, Any], *, condition: bool = False, token: str = "", timeout_s: float = 10
) -> httpx.Response:
    headers = {"Content-Type": "application/fhir+json"}
    if condition:
        headers["If-None-Exist"] = f"identifier={_REPORT_TOKEN}"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = f"{ehr.base_url}/{resource['resourceType']}"
    return _client().post(url, json=resource, headers=headers, timeout=timeout_s)


def _put(ehr: StrictEhr, resource: dict[str, Any], *, match: str = "") -> httpx.Response:
    headers = {"Content-Type": "application/fhir+json", **({"If-Match": match} if match else {})}
    return _client().put(f"{ehr.base_url}/DiagnosticReport/{resource['id']}", json=resource, headers=headers)


def _get(ehr: StrictEhr, path: str, query: dict[str, str] | None = None) -> httpx.Response:
    return _client().get(f"{ehr.base_url}/{path}", params=query)


def _refusal(answer: httpx.Response, status: int) -> list[str]:
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    return [issue["diagnostics"] for issue in answer.json()["issue"]]


def _capabilities(ehr: StrictEhr) -> dict[str, Any]:
    resources = _get(ehr, "metadata").json()["rest"][0]["resource"]
    return next(each for each in resources if each["type"] == "DiagnosticReport")
