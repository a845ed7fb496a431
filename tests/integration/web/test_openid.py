"""Signing in through an identity provider that nobody here wrote (oidc-provider-mock), both as they are run."""

import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select

from gateway.store.tables import audit
from tests.acceptance.gateway import Gateway
from tests.integration.web.browser import Browser, problem
from tests.peers.processes import LOOPBACK, Process, free_port, is_listening, wait_until

USERS: tuple[dict[str, Any], ...] = (
    {"sub": "1001", "groups": ["coordinators", "everybody"], "email": "same@example.org"},
    {"sub": "1002", "groups": ["board"], "email": "same@example.org"},
    {"sub": "1003", "groups": ["everybody"]},
    {"sub": "1004", "groups": ["coordinators"]},
)
ROLES = {"coordinators": "coordinator", "board": "reviewer:board"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    for user in USERS:
        command += ["--user-claims", json.dumps(user)]
    process = Process("provider", command, folder=tmp_path_factory.mktemp("provider")).begin()
    try:
        wait_until(lambda: is_listening(port), timeout_s=30, waiting_for="the provider to listen")
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("openid")
    secret = folder / "client-secret"
    secret.write_text("shared with the provider\n", encoding="ascii")
    gateway = Gateway(
        folder,
        CONSILIUM_OIDC__ISSUER=provider,
        CONSILIUM_OIDC__CLIENT_ID="consilium",
        CONSILIUM_OIDC__CLIENT_SECRET_FILE=str(secret),
        CONSILIUM_OIDC__ROLES=json.dumps(ROLES),
        CONSILIUM_PEOPLE__LOCAL_ACCOUNTS="false",
    )
    try:
        gateway.start("web")
        where = ("--country", "TR", "--time-zone", "Europe/Istanbul")
        gateway.cli("reviewer", "add", "board", "--identifier", "urn:oid:1.2.3|BRD", *where)
        yield gateway
    finally:
        gateway.stop()
        gateway.database.dispose()


def proves(browser: Browser, subject: str, path: str = "/account/openid") -> str:
    """The person signs in at the provider; gives where its answer sends the browser."""
    departure = browser.get(path)
    assert departure.status_code == 303
    answer = httpx.post(departure.headers["Location"], data={"sub": subject}, verify=False, trust_env=False)
    return str(answer.headers["Location"])


def signed_in(gateway: Gateway, subject: str) -> Browser:
    browser = Browser(gateway.url)
    entered = browser.get(proves(browser, subject))
    assert (entered.status_code, entered.headers.get("Location")) == (303, "/admin/"), problem(entered)
    return browser


def failures(gateway: Gateway) -> list[Any]:
    with gateway.database.read() as connection:
        is_it = (audit.c.action == "user.sign-in") & (audit.c.outcome == "failure")
        return list(connection.execute(select(audit).where(is_it).order_by(audit.c.id)))


def test_roles_come_from_the_provider_and_lead_to_their_pages(gateway: Gateway) -> None:
    browser = Browser(gateway.url)
    entered = browser.get(proves(browser, "1001", "/account/openid?next=/admin/waits"))
    assert entered.headers["Location"] == "/admin/waits"
    assert browser.get("/admin/waits").status_code == 200
    assert browser.get("/admin/audit").status_code == 403


def test_issuer_and_subject_are_one_user_and_an_address_is_nobody(gateway: Gateway) -> None:
    for _ in range(2):
        signed_in(gateway, "1001")
        signed_in(gateway, "1002")
    users = {one["subject"]: one for one in gateway.shown("user", "list")}
    assert users["1001"]["name"] != users["1002"]["name"]
    assert users["1001"]["roles"] == ["coordinator"]
    assert (users["1002"]["roles"], users["1002"]["party"]) == (["reviewer"], "board")
    assert len(users) == len(gateway.shown("user", "list"))


def test_without_a_role_here_nobody_enters(gateway: Gateway) -> None:
    browser = Browser(gateway.url)
    refused = browser.get(proves(browser, "1003"))
    assert (refused.status_code, "no role here" in problem(refused)) == (403, True)
    assert browser.cookie("session") == ""
    assert failures(gateway)[-1].details["by"] == "openid"


def test_who_is_disabled_here_does_not_enter(gateway: Gateway) -> None:
    browser = signed_in(gateway, "1004")
    [name] = [one["name"] for one in gateway.shown("user", "list") if one["subject"] == "1004"]
    gateway.cli("user", "disable", name)
    assert browser.get("/admin/").status_code == 303
    assert browser.get(proves(browser, "1004")).status_code == 403
    assert "identity provider" in gateway.cli("user", "reset", name, exit_code=1)


def test_an_answer_to_another_question_is_refused(gateway: Gateway) -> None:
    browser, other = Browser(gateway.url), Browser(gateway.url)
    answer = proves(browser, "1001")
    parts = urlsplit(answer)
    code = parse_qs(parts.query)["code"][0]
    asked = (f"code={code}&state=guessed", f"code={code}", "state=x", f"state=x&code={'x' * 7000}")
    for tampered in (f"{parts.path}?{query}" for query in asked):
        assert browser.get(tampered).status_code == 401
    assert other.get(answer).status_code == 401  # another browser: nobody is signed in as somebody else unawares
    proves(other, "1002")
    assert other.get(answer).status_code == 401
    assert browser.get(answer).status_code == 303
    assert browser.get(answer).status_code == 401  # and never twice
    wrong = [(row.actor, row.details["by"], row.details["wrong"]) for row in failures(gateway)[-7:]]
    refused = ["state"] * 4 + ["step", "state", "step"]
    assert wrong == [("web", "openid", one) for one in refused]


def test_who_says_no_at_the_provider_is_told_so(gateway: Gateway) -> None:
    browser = Browser(gateway.url)
    departure = browser.get("/account/openid").headers["Location"]
    state = parse_qs(urlsplit(departure).query)["state"][0]
    refused = browser.get("/account/openid/answer", params={"error": "access_denied", "state": state})
    assert (refused.status_code, "did not let you in" in problem(refused)) == (401, True)
    assert failures(gateway)[-1].details["wrong"] == "no code"


def test_signing_out_goes_on_to_the_provider(gateway: Gateway, provider: str) -> None:
    browser = signed_in(gateway, "1001")
    browser.get("/admin/")
    out = browser.post("/account/sign-out")
    page = browser.get(out.headers["Location"])
    assert page.headers["Refresh"].startswith(f"0; url={provider}/oauth2/end_session?client_id=consilium&")
    assert browser.get("/admin/").status_code == 303


def test_local_accounts_can_be_switched_off(gateway: Gateway) -> None:
    browser = Browser(gateway.url)
    assert 'name="password"' not in browser.get("/account/sign-in").text
    browser.get("/account/enrolment")
    assert browser.post("/account/sign-in", name="a", password="correct horse battery").status_code == 403
    given = {"code": "x", "password": "correct horse battery", "again": "correct horse battery"}
    assert browser.post("/account/enrolment", **given).status_code == 403
