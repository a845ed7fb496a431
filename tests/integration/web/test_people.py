"""People with a browser, against the web process as it is run."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pyotp
import pytest
from sqlalchemy import select

from gateway.store.tables import audit
from tests.acceptance.gateway import Gateway
from tests.integration.web.browser import Browser, heading, problem
from tests.peers.processes import LOOPBACK
from tests.people import PASSWORD


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(
        tmp_path_factory.mktemp("people"),
        CONSILIUM_PEOPLE__PASSWORD_MEMORY_KIB="8",
        CONSILIUM_PEOPLE__PASSWORD_PASSES="1",
    )
    try:
        yield gateway.start("web")
    finally:
        gateway.stop()
        gateway.database.dispose()


class Person:
    """A user who has enrolled by the pages."""

    def __init__(self, gateway: Gateway, name: str, *arguments: str) -> None:
        self.gateway, self.name = gateway, name
        invited = gateway.shown("user", "add", name, *(arguments or ("--role", "coordinator")))
        self.browser = Browser(gateway.url)
        self.browser.get("/account/enrolment")
        shown = self.browser.post("/account/enrolment", code=invited["code"], password=PASSWORD, again=PASSWORD)
        assert shown.status_code == 200, shown.text
        assert "<svg" in shown.text
        found = re.search(r"<code>([A-Z2-7]{32})</code>", shown.text)
        assert found
        self.totp = pyotp.TOTP(found[1])
        done = self.browser.post("/account/enrolment/app", code=self.totp.now())
        self.codes = re.findall(r"<li><code>([A-Z2-7-]+)</code>", done.text)
        assert len(self.codes) == 10, f"{done.status_code} {problem(done)}"

    def signs_in(self, browser: Browser | None = None, onward: str = "") -> httpx.Response:
        """With a recovery code, since the app's code of this half minute may be used up."""
        browser = browser or self.browser
        browser.get("/account/sign-in")
        asked = browser.post("/account/sign-in", name=self.name, password=PASSWORD, next=onward)
        assert asked.status_code == 303, problem(asked)
        browser.get(asked.headers["Location"])
        return browser.post("/account/second-factor", code=self.codes.pop(), next=onward)


def rows(gateway: Gateway, action: str) -> list[Any]:
    with gateway.database.read() as connection:
        return list(connection.execute(select(audit).where(audit.c.action == action).order_by(audit.c.id)))


def test_from_the_enrolment_to_the_sign_out(gateway: Gateway) -> None:
    person = Person(gateway, "journey")
    browser = person.browser
    asked = browser.get("/admin/waits")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/account/sign-in?next=/admin/waits")
    entered = person.signs_in(onward="/admin/waits")
    assert (entered.status_code, entered.headers["Location"]) == (303, "/admin/waits")
    assert heading(browser.get("/admin/waits")) == "What waits for a person"
    assert rows(gateway, "page.view")[-1].actor == "user:journey"
    assert heading(browser.get("/account")) == "Your account"
    left = browser.post("/account/sign-out")
    assert left.headers["Location"] == "/account/signed-out"
    assert heading(browser.get("/account/signed-out")) == "You are signed out"
    assert browser.get("/admin/").status_code == 303


def test_a_second_enrolment_with_the_same_code_is_refused_and_a_wrong_code_shows_no_secret(gateway: Gateway) -> None:
    invited, browser = gateway.shown("user", "add", "late", "--role", "coordinator"), Browser(gateway.url)
    browser.get("/account/enrolment")
    given = {"code": invited["code"], "password": PASSWORD, "again": PASSWORD}
    weak = browser.post("/account/enrolment", **(given | {"password": "password1234", "again": "password1234"}))
    assert (weak.status_code, "easy to guess" in problem(weak)) == (400, True)
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", browser.post("/account/enrolment", **given).text)
    assert secret
    again = browser.post("/account/enrolment/app", code="000000")
    assert again.status_code == 401
    assert secret[1] not in again.text
    assert "<svg" not in again.text
    assert browser.post("/account/enrolment/app", code=pyotp.TOTP(secret[1]).now()).status_code == 200
    assert "was used" in problem(browser.post("/account/enrolment", **given))


def test_cookies_and_headers(gateway: Gateway) -> None:
    entered = Person(gateway, "headers").signs_in()
    for cookie in entered.headers.get_list("Set-Cookie"):
        assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    policy = entered.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (entered.headers["Cache-Control"], entered.headers["Referrer-Policy"]) == ("no-store", "same-origin")


def test_pages_have_no_script_no_style_of_their_own_and_ask_nobody_else(gateway: Gateway) -> None:
    person = Person(gateway, "plain", "--role", "administrator", "--role", "coordinator", "--role", "privacy-officer")
    person.signs_in()
    paths = ["/admin/", "/admin/waits", "/admin/recalls", "/admin/audit", "/admin/people", "/account"]
    pages = [person.browser.get(path) for path in paths]
    pages += [Browser(gateway.url).get(path) for path in ("/account/sign-in", "/account/enrolment")]
    for page in pages:
        assert page.status_code == 200
        assert not re.search(r"<script|\son\w+=|style=|(?:src|href|action)=\"(?!/|#)", page.text)
        assert '<html lang="en">' in page.text


@pytest.mark.parametrize("token", ["", "0" * 64, "another"])
def test_a_form_without_its_token_changes_nothing(gateway: Gateway, token: str) -> None:
    name = {"": "csrf-none", "another": "csrf-other"}.get(token, "csrf-wrong")
    person = Person(gateway, name)
    person.signs_in()
    if token == "another":
        stranger = Browser(gateway.url)
        stranger.get("/account/sign-in")
        token = stranger.form_token
    refused = person.browser.post("/account/sign-out", form_token=token)
    assert refused.status_code == 403
    assert person.browser.get("/admin/").status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"], ids=["host", "null", "port"])
def test_a_form_from_elsewhere_changes_nothing(gateway: Gateway, origin: str) -> None:
    browser = Browser(gateway.url)
    browser.get("/account/sign-in")
    refused = browser.post("/account/sign-in", origin, name="nobody", password=PASSWORD)
    assert (refused.status_code, "not sent from a page" in problem(refused)) == (403, True)


def test_a_session_set_beforehand_is_not_the_one_that_is_begun(gateway: Gateway) -> None:
    person = Person(gateway, "fixed")
    fixed = {"name": "consilium-session", "value": "fixed-by-somebody-else", "domain": LOOPBACK}
    person.browser.http.cookies.set(**fixed)
    person.browser.get("/account/sign-in")
    person.signs_in()
    first = person.browser.cookie("session")
    assert first != "fixed-by-somebody-else"
    thief = Browser(gateway.url)
    thief.http.cookies.set("consilium-session", first)
    assert thief.get("/account").status_code == 200
    person.signs_in()  # a new one, and the earlier one of this browser ends
    assert person.browser.cookie("session") != first
    assert thief.get("/account").status_code == 303


def test_a_code_of_the_app_is_good_once(gateway: Gateway) -> None:
    person = Person(gateway, "once")
    used = person.totp.now()
    browser = Browser(gateway.url)
    browser.get("/account/sign-in")
    browser.post("/account/sign-in", name="once", password=PASSWORD)
    browser.get("/account/second-factor")
    refused = browser.post("/account/second-factor", code=used)
    assert (refused.status_code, browser.cookie("session")) == (401, "")


def test_who_fails_has_to_wait(gateway: Gateway) -> None:
    Person(gateway, "delayed")
    browser = Browser(gateway.url)
    browser.get("/account/sign-in")
    statuses = [browser.post("/account/sign-in", name="delayed", password=f"wrong {number}") for number in range(8)]
    codes = [one.status_code for one in statuses]
    assert codes[:4] == [401] * 4
    assert 429 in codes[4:]
    assert int(statuses[codes.index(429)].headers["Retry-After"]) >= 1
    gateway.cli("user", "unlock", "delayed")


def test_roles_are_asked_of_each_page(gateway: Gateway) -> None:
    gateway.cli("reviewer", "add", "board", "--identifier", "urn:oid:1.2.3|BRD", "--country", "TR", "--time-zone", "Europe/Istanbul")  # fmt: skip  # noqa: E501
    person = Person(gateway, "reader", "--role", "reviewer", "--party", "board")
    person.signs_in()
    seen = {path: person.browser.get(f"/admin/{path}") for path in ("waits", "recalls", "audit", "people")}
    assert {path: answer.status_code for path, answer in seen.items()} == dict.fromkeys(seen, 403)
    assert "it is for a coordinator and a privacy officer" in problem(seen["recalls"])
    assert "it is for an administrator" in problem(seen["people"])
    home = person.browser.get("/admin/")
    assert (home.status_code, "/admin/waits" in home.text) == (200, False)
    assert person.browser.get("/admin/nothing/here").status_code == 404


@pytest.mark.parametrize(
    "command", [("disable",), ("roles", "--role", "administrator"), ("reset",)], ids=lambda c: c[0]
)
def test_what_an_administrator_changes_ends_every_session(gateway: Gateway, command: tuple[str, ...]) -> None:
    person = Person(gateway, f"ended-{command[0]}")
    person.signs_in()
    assert person.browser.get("/account").status_code == 200
    gateway.cli("user", command[0], person.name, *command[1:])
    assert person.browser.get("/account").status_code == 303


def test_a_new_password_ends_the_other_sessions(gateway: Gateway) -> None:
    person, other = Person(gateway, "changing"), Browser(gateway.url)
    person.signs_in(other)
    person.signs_in()
    before = person.browser.cookie("session")
    person.browser.get("/account")
    chosen = {"password": "nine quiet rivers", "again": "nine quiet rivers"}
    assert person.browser.post("/account/password", earlier="wrong", **chosen).status_code == 401
    assert person.browser.post("/account/password", earlier=PASSWORD, **chosen).status_code == 303
    assert person.browser.cookie("session") != before
    assert person.browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 303


def test_a_session_of_ones_own_is_ended_and_nobody_elses(gateway: Gateway) -> None:
    person, elsewhere = Person(gateway, "owner"), Browser(gateway.url)
    person.signs_in(elsewhere)
    person.signs_in()
    shown = person.browser.get("/account").text
    [other] = re.findall(r'name="session" value="([^"]+)"', shown)
    stranger = Person(gateway, "stranger")
    stranger.signs_in()
    stranger.browser.get("/account")
    assert stranger.browser.post("/account/end-session", session=other).status_code == 404
    assert elsewhere.get("/account").status_code == 200
    assert person.browser.post("/account/end-session", session=other).status_code == 303
    assert elsewhere.get("/account").status_code == 303


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "/admin//evil", "/admin/../x", "/admin\r\nX: y"],
    ids=["absolute", "no-scheme", "backslash", "double", "dots", "header"],
)
def test_nobody_is_sent_elsewhere(gateway: Gateway, onward: str) -> None:
    browser = Browser(gateway.url)
    shown = browser.get("/account/sign-in", params={"next": onward})
    assert shown.status_code in (200, 400)
    assert "evil" not in shown.text
    assert "X" not in shown.headers


def test_a_host_header_of_another_machine_is_refused_and_repeated_nowhere(gateway: Gateway) -> None:
    answer = Browser(gateway.url).get("/account/sign-in", headers={"Host": "evil.example"})
    assert (answer.status_code, "evil" in answer.text) == (403, False)
    assert "web.base_url" in problem(answer)


def test_what_no_browser_sends_is_refused(gateway: Gateway) -> None:
    browser = Browser(gateway.url)
    browser.get("/account/sign-in")
    headers = {"Origin": gateway.url, "Content-Type": "application/x-www-form-urlencoded"}
    assert browser.http.post("/account/sign-in", json={"name": "a"}, headers={"Origin": gateway.url}).status_code == 400
    without_origin = browser.http.post("/account/sign-in", data={"form_token": browser.form_token, "name": "a"})
    assert without_origin.status_code == 403
    raw = {
        b"form_token=TOKEN&name=\xff\xfe&password=x": 400,
        b"form_token=TOKEN&name=%ff%fe&password=x": 400,
        b"form_token=TOKEN&name=a%00b&password=x": 400,
        b"form_token=TOKEN&name=" + b"a" * 2000: 400,
        b"form_token=TOKEN&name=" + b"a" * 100_000: 413,
    }
    for body, status in raw.items():
        sent = body.replace(b"TOKEN", browser.form_token.encode())
        assert browser.http.post("/account/sign-in", content=sent, headers=headers).status_code == status


def test_the_log_holds_no_secret_and_no_name_that_was_typed(gateway: Gateway) -> None:
    person = Person(gateway, "logged")
    person.signs_in()
    browser = Browser(gateway.url)
    browser.get("/account/sign-in")
    browser.post("/account/sign-in", name="hunter2hunter2", password="hunter3hunter3")
    log = gateway.logs()
    assert "hunter" not in log
    assert PASSWORD not in log
    assert person.browser.cookie("session") not in log
