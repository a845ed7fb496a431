"""How often a client may come, and how often somebody may fail to say who it is."""

import dataclasses
import threading
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.domain.errors import Throttled
from gateway.services.denial_limit import DenialLimit
from gateway.web.application import create_application
from gateway.web.rates import Limits, Rates
from tests.unit.gateway.web.support import PROXY, World, problem


def limited(world: World, **limits: int) -> FlaskClient:
    rates = Rates(Limits(**{"tokens": 100, "requests": 100, "failures": 100} | limits))
    admission = dataclasses.replace(world.edge.admission, rates=rates)
    return create_application(dataclasses.replace(world.edge, admission=admission)).test_client()


def fetch(http: FlaskClient, client_id: str, secret: str, **environment: Any) -> TestResponse:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return http.post("/oauth/token", data=form, **environment)


def is_throttled(answer: TestResponse) -> bool:
    assert answer.status_code != 429 or 1 <= int(answer.headers["Retry-After"]) <= 60
    return answer.status_code == 429


def test_a_client_that_runs_wild_is_asked_to_wait_and_others_are_not(world: World) -> None:
    http = limited(world, tokens=2)
    answers = [fetch(http, *world.credentials["clinic"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert is_throttled(answers[-1])
    assert answers[-1].get_json()["error"] == "slow_down"
    assert fetch(http, *world.credentials["reviewer"]).status_code == 200


def test_fhir_requests_are_counted_by_client(world: World) -> None:
    http = limited(world, requests=2)
    headers = {name: {"Authorization": f"Bearer {world.token(name)}"} for name in ("clinic", "other-clinic")}
    assert [http.get("/fhir/Patient", headers=headers["clinic"]).status_code for _ in range(2)] == [200, 200]
    refused = http.get("/fhir/Patient", headers=headers["clinic"])
    assert is_throttled(refused)
    assert problem(refused)[1] == "throttled"
    assert http.get("/fhir/Patient", headers=headers["other-clinic"]).status_code == 200


def test_who_fails_too_often_learns_nothing_any_more_and_keeps_nobody_out(world: World) -> None:
    http = limited(world, failures=2)
    known, secret = world.credentials["clinic"]
    assert [fetch(http, f"guess-{number}", "x").status_code for number in range(3)] == [401, 401, 429]
    assert is_throttled(fetch(http, known, "wrong"))
    assert fetch(http, known, secret).status_code == 200
    elsewhere = fetch(http, "guess", "x", environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert elsewhere.status_code == 401


def test_addresses_are_those_that_the_trusted_proxy_names(world: World) -> None:
    http = limited(world, failures=1)

    def status(forwarded: str, peer: str = PROXY) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return fetch(http, "guess", "x", headers=headers, environ_base={"REMOTE_ADDR": peer}).status_code

    assert status("192.0.2.1") == 401
    assert status("198.51.100.1, 192.0.2.1") == 429  # what the caller wrote in front does not count
    assert status("192.0.2.1, " + PROXY) == 429
    assert status("192.0.2.2") == 401
    assert status("2001:db8::1") == 401
    assert status("2001:db8::2") == 429
    assert status("192.0.2.2:5678") == 429  # some proxies write the port too
    assert status("[2001:db8::3]:443") == 429
    assert status("192.0.2.5:1") == 401
    assert status("[2001:db8:1::1]") == 401
    assert status("192.0.2.77", peer="192.0.2.3") == 401
    assert status("192.0.2.78", peer="192.0.2.3") == 429  # not from a trusted proxy


def test_a_flood_of_denials_does_not_fill_the_audit_trail(world: World) -> None:
    http, denials = limited(world), DenialLimit()
    for _ in range(17):
        fetch(http, "guess", "x")
        http.get("/fhir/Patient", headers={"Authorization": "Bearer stolen"})
    assert len(world.audit_rows("oauth.denied") + world.audit_rows("fhir.denied")) == 30
    assert {row.details["address"] for row in world.audit_rows("oauth.denied")} == {"127.0.0.1"}
    strangers = [f"192.0.2.{host}" for host in range(5)]
    recorded = [sum(denials.is_recorded(one, is_known=False) for _ in range(31)) for one in strangers]
    assert recorded == [30] * 4 + [0]
    assert denials.is_recorded("ehr", is_known=True)  # whom strangers cannot silence


def test_an_expired_token_is_always_told_so(world: World) -> None:
    http = limited(world, failures=1)
    answers = [http.get("/fhir/Patient", headers={"Authorization": "Bearer over"}) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {401}


def test_a_limit_says_when_to_come_back() -> None:
    rates = Rates(Limits(1, 1, 1))
    rates.count_token("ehr")
    with pytest.raises(Throttled) as caught:
        rates.count_token("ehr")
    assert caught.value.retry_after_s is not None
    assert 1 <= caught.value.retry_after_s <= 60
    late = Rates(Limits(1, 1, 1), lambda: time.time() + 50)
    late.count_token("ehr")
    with pytest.raises(Throttled) as caught:
        late.count_token("ehr")
    assert caught.value.retry_after_s is not None
    assert 1 <= caught.value.retry_after_s <= 10
    rates.count_request("ehr")
    rates.count_failure("ehr")


def test_a_machine_that_starts_no_more_threads_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, denials = Rates(Limits(1, 1, 1)), DenialLimit()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    monkeypatch.setattr(threading.Thread, "is_alive", lambda _: False)
    for _ in range(2):
        rates.count_request("ehr")
        assert denials.is_recorded("ehr", is_known=True)
