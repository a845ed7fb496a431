"""The strict EHR offers what its options say, and misbehaves when told to."""

import time
from typing import Any

import httpx
import pytest

from tests.integration.peers.strict_ehr_calls import (
    REPORT_TOKEN,
    capabilities,
    client,
    fill,
    get,
    post,
    put,
)
from tests.peers.processes import is_listening
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_ehr_access import Access
from tests.peers.strict_ehr_script import lose, refuse, store_then_silence


def test_conditional_create_keeps_one(ehr: StrictEhr, report: dict[str, Any]) -> None:
    assert [post(ehr, report, condition=True).status_code for _ in range(2)] == [201, 200]
    assert len(ehr.reports()) == 1
    post(ehr, report)
    assert post(ehr, report, condition=True).status_code == 412


def test_where_it_is_not_offered_the_condition_is_not_looked_at(report: dict[str, Any]) -> None:
    with StrictEhr(conditional_create=False, update_create=True) as ehr:
        fill(ehr)
        assert capabilities(ehr)["conditionalCreate"] is False
        assert capabilities(ehr)["updateCreate"] is True
        assert [post(ehr, report, condition=True).status_code for _ in range(2)] == [201, 201]
        assert [put(ehr, {**report, "id": "ours-1"}).status_code for _ in range(2)] == [201, 200]
        assert [each["id"] for each in ehr.reports()].count("ours-1") == 1
        assert put(ehr, {**report, "id": "ours_1"}).status_code == 400


def test_ids_of_the_client_are_refused_unless_offered(ehr: StrictEhr, report: dict[str, Any]) -> None:
    assert capabilities(ehr)["updateCreate"] is False
    assert put(ehr, {**report, "id": "ours-1"}).status_code == 405
    assert ehr.reports() == []


def test_ignored_elements_are_dropped_in_silence(report: dict[str, Any]) -> None:
    with StrictEhr(ignores={"presentedForm", "identifier"}) as ehr:
        fill(ehr)
        created = post(ehr, report)
        assert created.status_code == 201
        assert not {"presentedForm", "identifier"} & created.json().keys()
        assert get(ehr, "DiagnosticReport", {"identifier": REPORT_TOKEN}).json()["total"] == 0


def test_no_search_where_none_is_offered(report: dict[str, Any]) -> None:
    with StrictEhr(is_searchable=False, conditional_create=False) as ehr:
        fill(ehr)
        assert {"code": "search-type"} not in capabilities(ehr)["interaction"]
        assert get(ehr, "DiagnosticReport", {"identifier": REPORT_TOKEN}).status_code == 405
        assert post(ehr, report).status_code == 201


def test_scripted_refusals_come_first(report: dict[str, Any]) -> None:
    with StrictEhr(answers=[503, refuse(429, retry_after="2")]) as ehr:
        fill(ehr)
        answers = [post(ehr, report) for _ in range(3)]
        assert [each.status_code for each in answers] == [503, 429, 201]
        assert [each.headers.get("Retry-After") for each in answers] == [None, "2", None]
        assert len(ehr.reports()) == 1
        assert len(ehr.writes()) == 3


def test_it_stores_and_does_not_answer_in_time(ehr: StrictEhr, report: dict[str, Any]) -> None:
    ehr.script.add(store_then_silence(30))
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        post(ehr, report, timeout_s=0.5)
    assert get(ehr, "DiagnosticReport", {"identifier": REPORT_TOKEN}).json()["total"] == 1
    assert post(ehr, report, condition=True).status_code == 200
    ehr.stop()
    assert time.monotonic() - began < 10


def test_it_claims_success_and_keeps_nothing(ehr: StrictEhr, report: dict[str, Any]) -> None:
    ehr.script.add(lose(201))
    answer = post(ehr, report)
    assert answer.status_code == 201
    assert client().get(answer.headers["Location"].partition("/_history")[0]).status_code == 404
    assert ehr.reports() == []


def test_a_search_comes_in_pages(report: dict[str, Any]) -> None:
    with StrictEhr(page_size=2) as ehr:
        fill(ehr)
        for _ in range(5):
            post(ehr, report)
        page = get(ehr, "DiagnosticReport", {"patient": "p1"}).json()
        found = page["entry"]
        while following := [link["url"] for link in page["link"] if link["relation"] == "next"]:
            page = client().get(following[0]).json()
            found += page["entry"]
        assert len({each["resource"]["id"] for each in found}) == page["total"] == 5


def test_a_token_is_wanted_given_out_and_revoked(report: dict[str, Any]) -> None:
    with StrictEhr(access=Access(client_id="gateway", client_secret="s3cret")) as ehr:
        fill(ehr)
        refused = post(ehr, report)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        smart = client().get(f"{ehr.base_url}/.well-known/smart-configuration").json()
        grant = {"grant_type": "client_credentials"}
        assert client().post(smart["token_endpoint"], data=grant, auth=("gateway", "wrong")).status_code == 401
        token = client().post(smart["token_endpoint"], data=grant, auth=("gateway", "s3cret")).json()["access_token"]
        assert post(ehr, report, token=token).status_code == 201
        ehr.access.revoke_all()
        assert post(ehr, report, token=token).status_code == 401
        by_form = {**grant, "client_id": "gateway", "client_secret": "s3cret"}
        assert client().post(ehr.token_url, data=by_form).status_code == 200
        assert ehr.access.tokens_given_out == 2


def test_a_fixed_token_is_compared(report: dict[str, Any]) -> None:
    with StrictEhr(access=Access(bearer_token="fixed")) as ehr:
        fill(ehr)
        assert [post(ehr, report, token=each).status_code for each in ("other", "fixed")] == [401, 201]
        assert client().get(f"{ehr.base_url}/metadata").json()["fhirVersion"] == "4.0.1"


def test_it_stops_and_comes_back_with_its_records(ehr: StrictEhr, report: dict[str, Any]) -> None:
    post(ehr, report)
    url = ehr.base_url
    ehr.stop()
    assert not is_listening(int(httpx.URL(url).port or 0))
    ehr.start()
    assert ehr.base_url == url
    assert get(ehr, "DiagnosticReport", {"identifier": REPORT_TOKEN}).json()["total"] == 1
