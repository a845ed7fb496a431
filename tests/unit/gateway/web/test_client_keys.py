"""Clients that prove themselves at the token endpoint by a key of theirs."""

import dataclasses
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from gateway.services.clients import Means, add_client, revoke_client, set_keys
from gateway.store.tables import access_token, used_assertion
from gateway.web.application import create_application
from gateway.web.oauth.credentials import ASSERTION_TYPE
from tests.client_keys import Key, claims, ec_key, key_set, mac_by_public_key, public, rsa_key, signed, unsigned
from tests.unit.gateway.web.support import BASE, World

TOKEN_URL = f"{BASE}/oauth/token"
URL = "https://ehr.example/keys"


@pytest.fixture(autouse=True)
def _clients(world: World) -> None:
    means = Means(jwks=key_set(rsa_key(), ec_key()))
    add_client(world.core, "clinic", "ehr", means=means, actor="cli:test")
    add_client(world.core, "other-clinic", "other", means=Means(jwks=key_set(ec_key("other"))), actor="cli:test")
    add_client(world.core, "clinic", "publisher", means=Means(jwks_url=URL), actor="cli:test")


def assertion(world: World, key: Key, client_id: str = "ehr", *, header: Any = None, **changes: Any) -> str:
    return signed(key, claims(client_id, TOKEN_URL, world.clock(), **changes), **(header or {}))


def ask(world: World, text: str, **more: str) -> TestResponse:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
    return world.http.post("/oauth/token", data=form | more)


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS384", "ES384"])
def test_a_client_gets_a_token_by_its_key(world: World, key: Key) -> None:
    answer = ask(world, assertion(world, key), scope="system/Patient.rs", client_id="ehr")
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert (body["scope"], body["token_type"]) == ("system/Patient.rs", "Bearer")
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    assert world.http.get("/fhir/Patient", headers=bearer).status_code == 200
    (row,) = world.audit_rows("oauth.token")
    assert (row.actor, row.subject) == ("ehr", "ehr")


def test_an_assertion_does_once(world: World) -> None:
    text = assertion(world, ec_key())
    assert ask(world, text).status_code == 200
    assert error(ask(world, text)) == (401, "invalid_client")
    same_id = assertion(world, rsa_key(), jti="again"), assertion(world, ec_key(), jti="again")
    assert [ask(world, one).status_code for one in same_id] == [200, 401]
    assert ask(world, assertion(world, ec_key("other"), "other", jti="again")).status_code == 200
    assert [row.details["reason"] for row in world.audit_rows("oauth.denied")] == ["replay", "replay"]
    with world.database.read() as connection:
        assert len(connection.execute(select(access_token)).all()) == 3


def test_used_assertions_are_forgotten_once_they_would_be_refused_anyway(world: World) -> None:
    text = assertion(world, ec_key())
    ask(world, text)
    world.clock.forward(seconds=269)
    assert error(ask(world, text)) == (401, "invalid_client")
    world.clock.forward(seconds=62)
    assert ask(world, assertion(world, ec_key())).status_code == 200
    assert error(ask(world, text)) == (401, "invalid_client")
    with world.database.read() as connection:
        assert len(connection.execute(select(used_assertion)).all()) == 1


def hostile(world: World) -> dict[str, str]:
    said = claims("ehr", TOKEN_URL, world.clock())
    return {
        "unknown client": assertion(world, ec_key(), "nobody"),
        "another tenant": assertion(world, ec_key("other"), "ehr"),
        "own key for another": assertion(world, ec_key(), "other"),
        "another key under its id": assertion(world, ec_key("stranger"), header={"kid": "ec-1"}),
        "its other key's id": assertion(world, ec_key(), header={"kid": "rsa-1"}),
        "unknown key": assertion(world, ec_key("stranger")),
        "a secret's client": assertion(world, ec_key(), "clinic-client"),
        "jku": assertion(world, ec_key(), header={"jku": "https://attacker.example/keys"}),
        "no id": assertion(world, ec_key(), "../clinic"),
        "none": unsigned(said),
        "HS256": mac_by_public_key(rsa_key(), said),
        "RS256": signed(rsa_key(), said, alg="RS256"),
    }


BY_REGISTRATION = [
    "unknown client", "another tenant", "own key for another", "another key under its id", "its other key's id",
    "unknown key", "a secret's client", "jku", "no id",
]  # fmt: skip
RECORDED = [
    ("client", ""), ("key", "ehr"), ("key", "other"), ("signature", "ehr"), ("key", "ehr"),
    ("key", "ehr"), ("assertion", "clinic-client"), ("jku", "ehr"), ("client", ""),
    ("assertion", ""), ("assertion", ""), ("assertion", ""),
]  # fmt: skip


def test_nobody_else_is_let_in_nor_told_why(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    texts = hostile(world)
    answers = {name: ask(world, text) for name, text in texts.items()}
    assert {error(answer) for answer in answers.values()} == {(401, "invalid_client")}
    generic = "the client is unknown or did not prove who it is"
    unexplained = [name for name, answer in answers.items() if answer.get_json()["error_description"] == generic]
    assert unexplained == BY_REGISTRATION
    logged = capsys.readouterr().out
    for name, text in texts.items():
        shown = answers[name].text + str(answers[name].headers) + logged
        assert not any(part and part in shown for part in text.split("."))
    rows = world.audit_rows("oauth.denied")
    assert {(row.outcome, row.actor) for row in rows} == {("denied", "web")}
    assert [(row.details["reason"], row.subject) for row in rows] == RECORDED


def test_a_key_that_was_removed_or_expired_does_no_more(world: World) -> None:
    seconds = int(world.clock().timestamp())
    keys = key_set(public(ec_key(), exp=seconds + 60), rsa_key())
    set_keys(world.core, "ehr", jwks=keys, actor="cli:test")
    assert ask(world, assertion(world, ec_key())).status_code == 200
    world.clock.forward(seconds=60)
    assert ask(world, assertion(world, ec_key())).status_code == 401
    token = ask(world, assertion(world, rsa_key())).get_json()["access_token"]
    set_keys(world.core, "ehr", jwks=key_set(ec_key("new")), actor="cli:test")
    assert ask(world, assertion(world, rsa_key())).status_code == 401
    assert ask(world, assertion(world, ec_key("new"))).status_code == 200
    assert world.http.get("/fhir/Patient", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_revoked_client_gets_none(world: World) -> None:
    revoke_client(world.core, "ehr", actor="cli:test")
    assert error(ask(world, assertion(world, ec_key()))) == (401, "invalid_client")


def test_keys_are_fetched_from_where_they_were_registered(world: World) -> None:
    world.keys.answers[URL] = (key_set(ec_key("published")), 600)
    text = assertion(world, ec_key("published"), "publisher", header={"jku": URL})
    assert ask(world, text).status_code == 200
    other = {"jku": "https://attacker.example/keys"}
    assert ask(world, assertion(world, ec_key("published"), "publisher", header=other)).status_code == 401
    assert set(world.keys.asked) == {URL}


def test_where_the_keys_cannot_be_fetched_the_client_is_asked_to_come_back(world: World) -> None:
    answer = ask(world, assertion(world, ec_key("published"), "publisher"))
    assert error(answer) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "60"


def test_a_secret_does_not_do_for_a_client_with_keys(world: World) -> None:
    for secret in ("", "secret", "None"):
        form = {"grant_type": "client_credentials", "client_id": "ehr", "client_secret": secret}
        assert error(world.http.post("/oauth/token", data=form)) == (401, "invalid_client")


def test_one_way_to_prove_it_at_a_time(world: World) -> None:
    text = assertion(world, ec_key())
    assert error(ask(world, text, client_secret="x")) == (400, "invalid_request")
    assert error(ask(world, text, client_id="other")) == (401, "invalid_client")
    assert error(ask(world, text, client_assertion_type="urn:other")) == (401, "invalid_client")
    assert ask(world, text).status_code == 200


def test_an_assertion_for_others_is_not_taken_under_their_name(world: World) -> None:
    """Without a base URL the Host header would say who we are, and whoever asks writes that."""
    http = create_application(dataclasses.replace(world.edge, base_url="")).test_client()
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}

    def status(host: str) -> int:
        text = signed(ec_key(), claims("ehr", f"http://{host}/oauth/token", world.clock()))
        return http.post("/oauth/token", data=form | {"client_assertion": text}, headers={"Host": host}).status_code

    assert status("elsewhere.example") == 401
    assert status("localhost:8080") == 200
    found = http.get("/.well-known/smart-configuration", headers={"Host": "elsewhere.example"}).get_json()
    assert "private_key_jwt" not in found["token_endpoint_auth_methods_supported"]


def test_discovery_says_what_there_is(world: World) -> None:
    found = world.http.get("/fhir/.well-known/smart-configuration").get_json()
    methods = ["private_key_jwt", "client_secret_basic", "client_secret_post", "tls_client_auth"]
    assert found["token_endpoint_auth_methods_supported"] == methods
    assert found["token_endpoint_auth_signing_alg_values_supported"] == ["ES384", "RS384"]
    assert {"client-confidential-asymmetric", "permission-v2"} <= set(found["capabilities"])
