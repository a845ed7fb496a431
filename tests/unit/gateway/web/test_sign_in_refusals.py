"""Every sign-in and every enrolment that is refused leaves one row, whichever way it was refused."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import TestResponse

from gateway.domain.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    Gone,
    Invalid,
    NotFound,
    Permanent,
    Throttled,
    Unauthenticated,
    Unprocessable,
)
from gateway.domain.people import Role, RoleGrant, Vouched
from gateway.services.people import enrolment, registry, sign_in, vouching
from gateway.web.application import create_application
from gateway.web.errors import TABLE
from gateway.web.people import routes
from gateway.web.people.desk import Desk
from gateway.web.people.frame import EVERYBODY
from tests.people import PASSWORD, POLICY, Somebody
from tests.unit.gateway.web.support import World
from tests.unit.gateway.web.test_people import Provider, token

ORIGIN = "http://localhost"
LOST = {"lost": RoleGrant(Role.REVIEWER, "lost")}
ACTIONS = ("user.sign-in", "user.enrol", "page.denied")


class Visitor:
    """A browser of a gateway with accounts of its own and a provider."""

    def __init__(self, world: World, *groups: str) -> None:
        self.world = world
        vouched = Vouched("https://login.example", "1", groups) if groups else None
        self.provider = Provider(vouched)
        desk = Desk(world.core, POLICY, "", self.provider, LOST)
        self.http: FlaskClient = create_application(world.edge, desk).test_client()

    def sends(self, path: str, shown_at: str = "/account/sign-in", **fields: str) -> TestResponse:
        page = self.http.get(shown_at, base_url=ORIGIN)
        form = {"form_token": token(page), **fields}
        return self.http.post(path, data=form, base_url=ORIGIN, headers={"Origin": ORIGIN})

    def answers(self, **answer: str) -> TestResponse:
        assert self.http.get("/account/openid", base_url=ORIGIN).status_code == 303
        return self.http.get("/account/openid/answer", query_string=answer, base_url=ORIGIN)

    def is_halfway(self) -> Somebody:
        person = Somebody(self.world.core)
        assert self.sends("/account/sign-in", name=person.name, password=PASSWORD).status_code == 303
        return person

    def is_enrolling(self) -> None:
        invitation = registry.add(self.world.core, "new", [Role.COORDINATOR], None, actor="cli:test")
        form = {"code": invitation.code, "password": PASSWORD, "again": PASSWORD}
        assert self.sends("/account/enrolment", "/account/enrolment", **form).status_code == 200

    def rows(self) -> list[Any]:
        """Those of refusals."""
        found = [row for action in ACTIONS for row in self.world.audit_rows(action)]
        return [row for row in found if row.outcome in ("failure", "denied")]


def wrong_password(visitor: Visitor) -> TestResponse:
    return visitor.sends("/account/sign-in", name=Somebody(visitor.world.core).name, password="wrong")


def nobody(visitor: Visitor) -> TestResponse:
    return visitor.sends("/account/sign-in", name="nobody", password=PASSWORD)


def disabled(visitor: Visitor) -> TestResponse:
    person = Somebody(visitor.world.core)
    registry.disable(visitor.world.core, person.name, actor="cli:test")
    return visitor.sends("/account/sign-in", name=person.name, password=PASSWORD)


def long_name(visitor: Visitor) -> TestResponse:
    return visitor.sends("/account/sign-in", name="x" * 1025, password=PASSWORD)


def much_too_long(visitor: Visitor) -> TestResponse:
    return visitor.sends("/account/sign-in", name="x" * 20_000, password=PASSWORD)


def other_form(visitor: Visitor) -> TestResponse:
    return visitor.http.post("/account/sign-in", json={}, base_url=ORIGIN, headers={"Origin": ORIGIN})


def other_site(visitor: Visitor) -> TestResponse:
    return visitor.http.post("/account/sign-in", data={}, base_url=ORIGIN, headers={"Origin": "https://evil.example"})


def wrong_code(visitor: Visitor) -> TestResponse:
    visitor.is_halfway()
    return visitor.sends("/account/second-factor", code="000000")


def no_first_step(visitor: Visitor) -> TestResponse:
    return visitor.sends("/account/second-factor", code="000000")


def step_over(visitor: Visitor) -> TestResponse:
    person = visitor.is_halfway()
    visitor.world.clock.forward(minutes=11)
    return visitor.sends("/account/second-factor", code=person.code())


def guessed_enrolment(visitor: Visitor) -> TestResponse:
    form = {"code": "guessed", "password": PASSWORD, "again": PASSWORD}
    return visitor.sends("/account/enrolment", "/account/enrolment", **form)


def poor_password(visitor: Visitor) -> TestResponse:
    invitation = registry.add(visitor.world.core, "new", [Role.COORDINATOR], None, actor="cli:test")
    form = {"code": invitation.code, "password": "short", "again": "short"}
    return visitor.sends("/account/enrolment", "/account/enrolment", **form)


def wrong_app(visitor: Visitor) -> TestResponse:
    visitor.is_enrolling()
    return visitor.sends("/account/enrolment/app", "/account/enrolment", code="000000")


def enrolment_over(visitor: Visitor) -> TestResponse:
    visitor.is_enrolling()
    visitor.world.clock.forward(minutes=11)
    return visitor.sends("/account/enrolment/app", "/account/enrolment", code="000000")


def unasked_answer(visitor: Visitor) -> TestResponse:
    return visitor.http.get("/account/openid/answer", query_string={"state": "state"}, base_url=ORIGIN)


def other_state(visitor: Visitor) -> TestResponse:
    return visitor.answers(state="another", code="c0de")


def long_state(visitor: Visitor) -> TestResponse:
    return visitor.answers(state="x" * 1025, code="c0de")


def long_code(visitor: Visitor) -> TestResponse:
    return visitor.answers(state="state", code="x" * 8193)


def no_code(visitor: Visitor) -> TestResponse:
    return visitor.answers(state="state", error="access_denied")


def not_vouched(visitor: Visitor) -> TestResponse:
    return visitor.answers(state="state", code="c0de")


CASES: tuple[tuple[Callable[[Visitor], TestResponse], int, str, str], ...] = (
    (wrong_password, 401, "user.sign-in", "password"),
    (nobody, 401, "user.sign-in", "password"),
    (disabled, 401, "user.sign-in", "password"),
    (long_name, 400, "page.denied", "invalid"),
    (much_too_long, 413, "page.denied", "too-long"),
    (other_form, 400, "page.denied", "invalid"),
    (other_site, 403, "page.denied", "forbidden"),
    (wrong_code, 401, "user.sign-in", "second factor"),
    (no_first_step, 401, "user.sign-in", "step"),
    (step_over, 401, "user.sign-in", "step"),
    (guessed_enrolment, 401, "user.enrol", "code"),
    (poor_password, 400, "page.denied", "invalid"),
    (wrong_app, 401, "user.enrol", "code"),
    (enrolment_over, 401, "user.enrol", "code"),
    (unasked_answer, 401, "user.sign-in", "step"),
    (other_state, 401, "user.sign-in", "state"),
    (long_state, 400, "user.sign-in", "state"),
    (long_code, 400, "user.sign-in", "no code"),
    (no_code, 401, "user.sign-in", "no code"),
    (not_vouched, 401, "user.sign-in", "answer"),
)


@pytest.mark.parametrize(("refusal", "status", "action", "wrong"), CASES, ids=[case[0].__name__ for case in CASES])
def test_who_is_refused_leaves_one_row(
    world: World, refusal: Callable[[Visitor], TestResponse], status: int, action: str, wrong: str
) -> None:
    visitor = Visitor(world)
    assert refusal(visitor).status_code == status
    [row] = visitor.rows()
    assert (row.action, row.details.get("wrong") or row.details["reason"]) == (action, wrong)
    assert row.details["address"] == "127.0.0.1"


def test_who_has_to_wait_leaves_a_row(world: World) -> None:
    visitor, statuses = Visitor(world), []
    while 429 not in statuses:
        statuses.append(visitor.sends("/account/sign-in", name="nobody", password=PASSWORD).status_code)
    assert len(visitor.rows()) == len(statuses)
    assert visitor.rows()[-1].details["reason"] == "throttled"


def test_a_party_that_the_settings_name_and_nobody_registered_leaves_a_row(world: World) -> None:
    visitor = Visitor(world, "lost")
    assert visitor.answers(state="state", code="c0de").status_code == 500
    [row] = visitor.rows()
    assert (row.action, row.outcome, row.details["by"]) == ("user.sign-in", "failure", "openid")
    assert "not registered" in row.details["wrong"]


REFUSALS: tuple[Exception, ...] = (
    Unprocessable("no"),
    Invalid("no"),
    Unauthenticated("no"),
    Forbidden("no"),
    Gone("no"),
    NotFound("no"),
    Conflict("no"),
    Throttled("no"),
    RequestEntityTooLarge(),
)
USE_CASES = (
    (sign_in, "check_password", "/account/sign-in"),
    (sign_in, "check_second_factor", "/account/second-factor"),
    (enrolment, "choose_password", "/account/enrolment"),
    (enrolment, "finish", "/account/enrolment/app"),
    (vouching, "sign_in", "/account/openid/answer"),
    (Provider, "vouch", "/account/openid/answer"),
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
@pytest.mark.parametrize(("place", "name", "path"), USE_CASES, ids=[case[1] for case in USE_CASES])
def test_whatever_a_use_case_refuses_leaves_one_row(
    world: World, place: Any, name: str, path: str, refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_given: object, **_named: object) -> None:
        raise refusal

    visitor = Visitor(world, "lost")
    monkeypatch.setattr(place, name, refuses)
    if path.endswith("answer"):
        answer = visitor.answers(state="state", code="c0de")
    else:
        answer = visitor.sends(path, code="x", password=PASSWORD, again=PASSWORD)
    assert 400 <= answer.status_code < 500
    assert len(visitor.rows()) == 1


def test_every_refusal_and_every_door_is_tried_above() -> None:
    refused = {kind for kind, status, _ in TABLE if status < 500 and issubclass(kind, GatewayError)}
    untried = {kind.__name__ for kind in refused - {type(one) for one in REFUSALS}}
    assert untried == {"PreconditionFailed"}  # of FHIR's If-Match alone
    assert Permanent not in refused
    doors = {f"/account{page.path}" for page in routes.PAGES if page.needs == EVERYBODY and page.is_door}
    assert doors == {path for *_, path in USE_CASES}
    forms = {page.name for page in routes.PAGES if page.needs == EVERYBODY and "POST" in page.methods}
    assert {page.name for page in routes.PAGES if page.is_door} == forms | {"openid_answer"}
