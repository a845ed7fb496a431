"""Where the pages for people are, and what their cookies are called there."""

import re
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from flask.testing import FlaskClient
from werkzeug.exceptions import InternalServerError
from werkzeug.test import TestResponse

from gateway.domain.errors import Permanent, Transient, Unauthenticated
from gateway.domain.people import Role, Vouched
from gateway.openid.provider import Departure
from gateway.services import recall
from gateway.store.engine import Database
from gateway.web.application import create_application
from gateway.web.people.desk import Desk
from tests.people import PASSWORD, POLICY, Somebody
from tests.unit.gateway.web.support import World, patient


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def browser(world: World, base_url: str) -> FlaskClient:
    return create_application(world.edge, Desk(world.core, POLICY, base_url)).test_client()


def token(page: TestResponse) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]


def asks(client: FlaskClient, path: str, *, at: str = "", **whom: str) -> TestResponse:
    """What the form of a page for privacy officers leads to; it is that of the page `at`, or of `path`."""
    origin = "http://localhost"
    form = {"form_token": token(client.get(f"/admin/{at or path}", base_url=origin)), **whom}
    return client.post(f"/admin/{path}", data=form, base_url=origin, headers={"Origin": origin})


def enters(client: FlaskClient, world: World, origin: str, *roles: Role) -> list[str]:
    """Signs in; gives the cookies of the answer that begins the session."""
    person = Somebody(world.core, "ayse", *roles)
    at = {"base_url": origin, "headers": {"Origin": origin}}
    page = client.get("/account/sign-in", base_url=origin)
    form = {"form_token": token(page), "name": person.name, "password": PASSWORD}
    assert client.post("/account/sign-in", data=form, **at).status_code == 303
    page = client.get("/account/second-factor", base_url=origin)
    done = client.post("/account/second-factor", data={"form_token": token(page), "code": person.code()}, **at)
    assert done.status_code == 303
    return done.headers.getlist("Set-Cookie")


def test_by_https_cookies_are_the_hosts_own(world: World) -> None:
    cookies = enters(browser(world, "https://gateway.example"), world, "https://gateway.example")
    given = {cookie.partition("=")[0]: cookie for cookie in cookies}
    assert set(given) == {"__Host-consilium-step", "__Host-consilium-session", "__Host-consilium-device"}
    for cookie in cookies:
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert "Max-Age" not in given["__Host-consilium-session"]


def test_on_this_machine_http_will_do_under_other_names(world: World) -> None:
    cookies = enters(browser(world, ""), world, "http://localhost:8080")
    assert {cookie.partition("=")[0] for cookie in cookies} == {
        "consilium-step",
        "consilium-session",
        "consilium-device",
    }


@pytest.mark.parametrize(
    ("base_url", "host"),
    [("", "http://gateway.example"), ("http://gateway.example", "http://localhost")],
    ids=["host-header", "setting"],
)
def test_elsewhere_nobody_types_a_password_over_http(world: World, base_url: str, host: str) -> None:
    page = browser(world, base_url).get("/account/sign-in", base_url=host)
    assert (page.status_code, "by https" in page.text, 'name="password"' in page.text) == (403, True, False)


def test_below_a_path_every_link_and_form_is_below_it_too(world: World) -> None:
    client = browser(world, "https://hospital.example/opinions")
    asked = client.get("/admin/", base_url="https://hospital.example")
    assert asked.headers["Location"] == "/opinions/account/sign-in?next=/admin/"
    page = client.get("/account/sign-in", base_url="https://hospital.example")
    assert set(re.findall(r'(?:href|action)="(/[^/"]*)', page.text)) == {"/opinions"}


def test_the_origin_is_that_of_the_settings_whatever_the_host_header_says(world: World) -> None:
    client = browser(world, "https://gateway.example")
    page = client.get("/account/sign-in", base_url="https://gateway.example")
    form = {"form_token": token(page), "name": "x", "password": "y"}
    refused = client.post(
        "/account/sign-in", data=form, base_url="https://evil.example", headers={"Origin": "https://evil.example"}
    )
    assert refused.status_code == 403


def test_a_privacy_officer_sees_the_trail_of_a_case_and_of_a_patient_and_the_looks_are_in_it(world: World) -> None:
    client, origin = browser(world, ""), "http://localhost"
    patient_id = world.ask("POST", "/Patient", patient()).get_json()["id"]
    enters(client, world, origin, Role.PRIVACY_OFFICER)
    for path in ("audit", "disclosures"):
        shown = asks(client, path, patient=patient_id)
        assert (shown.status_code, f'value="{patient_id}"' in shown.text) == (200, True)
        assert f"?patient={patient_id}" not in shown.text  # no address has it
    file = asks(client, "disclosures.csv", at="disclosures", patient=patient_id)
    assert file.text.startswith('"date","recipient"')
    assert file.headers["Content-Disposition"].startswith("attachment")
    looks = [*world.audit_rows("audit.patient"), *world.audit_rows("audit.disclosures")]
    assert [(row.actor, row.patient_id) for row in looks] == [("user:ayse", patient_id)] * 3
    for nobody in ({"patient": "none"}, {"case": "none"}, {"case": "1", "patient": "2"}, {"case": "\r\n"}):
        assert asks(client, "audit", **nobody).status_code in (400, 404)
    assert asks(client, "disclosures.csv", at="disclosures").status_code == 400


@pytest.mark.parametrize("path", ["audit", "disclosures"])
@pytest.mark.parametrize("query", ["patient=Zeynep", "case=4711", "patient=aaaaaaaaaaaaaaaa"])
def test_whom_a_privacy_officer_asks_for_stands_in_no_address(world: World, path: str, query: str) -> None:
    client, origin = browser(world, ""), "http://localhost"
    enters(client, world, origin, Role.PRIVACY_OFFICER)
    form = client.get(f"/admin/{path}", base_url=origin)
    assert '<form method="post"' in form.text
    refused = client.get(f"/admin/{path}?{query}", base_url=origin)
    assert (refused.status_code, "not in the address" in refused.text) == (400, True)
    assert query.partition("=")[2] not in refused.text
    assert client.get("/admin/disclosures.csv", base_url=origin).status_code in (404, 405)
    forged = client.post(f"/admin/{path}", data={"patient": "x"}, base_url=origin, headers={"Origin": origin})
    assert forged.status_code == 403


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("Öztürk 4711"), Permanent("Öztürk"), InternalServerError("Öztürk")],
    ids=["any", "own", "http"],
)
def test_a_page_that_fails_is_a_page_with_an_id_and_no_word_of_the_cause(
    world: World, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object, **_named: object) -> None:
        raise failure

    client, origin = browser(world, ""), "http://localhost"
    enters(client, world, origin, Role.COORDINATOR)
    monkeypatch.setattr(recall, "recall_lines", fails)
    with structlog.testing.capture_logs() as lines:
        answer = client.get("/admin/recalls", base_url=origin)
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    [failed] = [line for line in lines if line["event"] == "request failed"]
    assert failed["request_id"] == answer.headers["X-Request-Id"]
    assert f"request {failed['request_id']}" in answer.text
    assert "Öztürk" not in str(lines) + answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


class Provider:
    """Vouches for nobody but whom it is told to, and keeps the code."""

    def __init__(self, vouched: Vouched | None = None) -> None:
        self.codes: list[str] = []
        self.vouched = vouched

    def depart(self, redirect_uri: str) -> Departure:
        return Departure(redirect_uri, "state", "nonce", "verifier")

    def vouch(self, *, code: str, redirect_uri: str, nonce: str, verifier: str, now: datetime) -> Vouched:
        self.codes.append(code)
        if self.vouched is None:
            raise Unauthenticated("nobody")
        return self.vouched

    def sign_out_url(self, back_to: str) -> str:
        return ""


def test_a_providers_code_may_be_long_and_nothing_else(world: World) -> None:
    provider = Provider()
    client = create_application(world.edge, Desk(world.core, POLICY, "", provider)).test_client()
    codes = {"x" * 8192: 401, "x" * 8193: 400}
    for code, status in codes.items():
        assert client.get("/account/openid").status_code == 303
        answer = client.get("/account/openid/answer", query_string={"code": code, "state": "state"})
        assert answer.status_code == status
    assert provider.codes == ["x" * 8192]
    assert client.get("/account/openid/answer", query_string={"state": "x" * 1025}).status_code == 400


def back(client: FlaskClient, **answer: str) -> int:
    """The status of the page that the provider's answer leads to, for a browser that asked for one."""
    assert client.get("/account/openid").status_code == 303
    return client.get("/account/openid/answer", query_string=answer).status_code


def failed_and_denied(world: World) -> list[tuple[str, str, str, dict[str, object]]]:
    rows = [*world.audit_rows("user.sign-in"), *world.audit_rows("page.denied")]
    return [(row.actor, row.outcome, row.subject, row.details) for row in rows]


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        ("state", {"state": "another", "code": "c0de"}),
        ("no code", {"state": "state", "error": "access_denied", "error_description": "Öztürk"}),
        ("answer", {"state": "state", "code": "c0de"}),
    ],
    ids=["state", "no-code", "answer"],
)
def test_a_providers_answer_that_is_refused_leaves_one_row(world: World, wrong: str, answer: dict[str, str]) -> None:
    client = create_application(world.edge, Desk(world.core, POLICY, "", Provider())).test_client()
    assert back(client, **answer) == 401
    told = {"wrong": wrong, "by": "openid", "address": "127.0.0.1"}
    assert failed_and_denied(world) == [("web", "failure", "user", told)]


def test_an_answer_that_nobody_asked_for_leaves_a_row_too(world: World) -> None:
    client = create_application(world.edge, Desk(world.core, POLICY, "", Provider())).test_client()
    answer = client.get("/account/openid/answer", query_string={"state": "state", "code": "c0de"})
    assert answer.status_code == 401
    told = {"wrong": "step", "by": "openid", "address": "127.0.0.1"}
    assert failed_and_denied(world) == [("web", "failure", "user", told)]


def test_whom_the_provider_vouches_for_and_who_has_no_role_here_leaves_one_row(world: World) -> None:
    provider = Provider(Vouched("https://login.example", "1", ("everybody",)))
    client = create_application(world.edge, Desk(world.core, POLICY, "", provider)).test_client()
    assert back(client, state="state", code="c0de") == 403
    told = {"wrong": "your identity provider gives you no role here", "by": "openid", "address": "127.0.0.1"}
    assert failed_and_denied(world) == [("web", "failure", "user", told)]
    assert client.get("/account/openid", base_url="http://elsewhere.example").status_code == 403
    assert [row.subject for row in world.audit_rows("page.denied")] == ["page/account.openid"]


def test_a_flood_of_answers_does_not_fill_the_audit_trail(world: World) -> None:
    client = create_application(world.edge, Desk(world.core, POLICY, "", Provider())).test_client()
    for _ in range(32):
        assert client.get("/account/openid/answer", query_string={"state": "guessed"}).status_code == 401
    assert len(failed_and_denied(world)) == 30


def test_an_answer_is_refused_all_the_same_where_it_cannot_be_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object, **_named: object) -> None:
        raise Transient("the database is away")

    client = create_application(world.edge, Desk(world.core, POLICY, "", Provider())).test_client()
    monkeypatch.setattr("gateway.store.audit.record", fails)
    with structlog.testing.capture_logs() as lines:
        assert back(client, state="another") == 401
    assert [line["reason"] for line in lines if line["event"] == "refusal unrecorded"] == ["Transient"]


def test_every_form_is_behind_the_checks(world: World) -> None:
    client = browser(world, "")
    rules = [
        rule
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith(("/account", "/admin")) and "POST" in (rule.methods or ())
    ]
    assert len(rules) >= 8
    for rule in rules:
        sent = {"data": {"name": "x"}, "headers": {"Origin": "http://localhost"}}
        answer = client.post(rule.rule, base_url="http://localhost", **sent)
        is_open = answer.status_code == 303 and answer.headers["Location"] == "/account/sign-in"
        assert is_open or answer.status_code == 403, rule.rule


def test_a_page_that_there_is_not_is_told_in_a_sensible_sentence(world: World) -> None:
    client, origin = browser(world, ""), "http://localhost"
    enters(client, world, origin, Role.COORDINATOR)
    answer = client.get("/admin/users", base_url=origin)
    assert answer.status_code == 404
    assert "here is no such page; /admin lists those that your roles allow" in answer.text
    assert client.get("/admin/people", base_url=origin).status_code == 403


def test_who_is_refused_leaves_a_row(world: World) -> None:
    origin = "http://localhost:8080"
    client = browser(world, "")
    page = client.get("/account/enrolment", base_url=origin)
    form = {"form_token": token(page), "code": "guessed", "password": PASSWORD, "again": PASSWORD}
    at = {"base_url": origin, "headers": {"Origin": origin}}
    assert client.post("/account/enrolment", data=form, **at).status_code == 401
    assert client.post("/account/enrolment", data=form | {"form_token": "0" * 64}, **at).status_code == 403
    enters(client, world, origin, Role.COORDINATOR)
    assert client.get("/admin/audit?patient=somebody", base_url=origin).status_code == 403
    denied = [(row.actor, row.subject, row.details["reason"]) for row in world.audit_rows("page.denied")]
    assert denied == [
        ("web", "page/account.enrolment_submit", "forbidden"),
        ("user:ayse", "page/admin.audit", "forbidden"),
    ]
    assert [row.outcome for row in world.audit_rows("user.enrol") if row.actor == "web"] == ["denied"]


def test_a_request_without_a_token_leaves_a_row(world: World) -> None:
    assert browser(world, "").get("/fhir/Patient").status_code == 401
    assert [(row.actor, row.details["reason"]) for row in world.audit_rows("fhir.denied")] == [("web", "no token")]
