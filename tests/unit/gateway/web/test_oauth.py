import base64
from typing import Any
from urllib.parse import quote_plus

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from gateway.services.clients import revoke_client
from gateway.store.tables import access_token, oauth_client
from tests.unit.gateway.web.support import BASE, World


def ask(world: World, form: Any, *, basic: tuple[str, str] | None = None, kind: str = "") -> TestResponse:
    headers = {"Content-Type": kind or "application/x-www-form-urlencoded"}
    if basic:
        pair = ":".join(quote_plus(part) for part in basic)
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return world.http.post("/oauth/token", data=form, headers=headers)


def test_a_client_gets_a_token_by_header_or_by_body(world: World) -> None:
    client_id, secret = world.credentials["clinic"]
    by_header = ask(world, {"grant_type": "client_credentials"}, basic=(client_id, secret))
    by_body = ask(world, {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret})
    for answered in (by_header, by_body):
        assert answered.status_code == 200
        assert answered.headers["Cache-Control"] == "no-store"
        body = answered.get_json()
        token = body.pop("access_token")
        assert body == {"token_type": "Bearer", "expires_in": 300, "scope": "system/*.crus"}
        assert len(base64.urlsafe_b64decode(token + "=")) == 32
        assert world.http.get("/fhir/Patient", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({}, "invalid_request", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"grant_type": "client_credentials"}, "invalid_client", 401),
        ({"grant_type": "client_credentials", "scope": "user/*.rs"}, "invalid_scope", 400),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request", 400),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_client", 401),
        ({"grant_type": "client_credentials", "client_assertion": "x"}, "invalid_client", 401),
    ],
)
def test_errors_are_those_of_rfc_6749(world: World, form: dict[str, Any], error: str, status: int) -> None:
    refused = ask(world, form)
    assert (refused.status_code, refused.get_json()["error"]) == (status, error)
    assert set(refused.get_json()) == {"error", "error_description"}


def test_a_wrong_secret_in_the_header_is_challenged(world: World) -> None:
    client_id, secret = world.credentials["clinic"]
    refused = ask(world, {"grant_type": "client_credentials"}, basic=(client_id, secret[:-1]))
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="consilium"')
    both = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    assert ask(world, both, basic=(client_id, secret)).get_json()["error"] == "invalid_request"
    assert ask(world, "{}", kind="application/json").get_json()["error"] == "invalid_request"


def test_a_token_request_is_short(world: World) -> None:
    refused = ask(world, {"grant_type": "x" * 20_000})
    assert (refused.status_code, refused.mimetype) == (400, "application/json")  # RFC 6749 5.2
    assert refused.get_json()["error"] == "invalid_request"
    assert "16384 bytes" in refused.get_json()["error_description"]
    assert refused.headers["Cache-Control"] == "no-store"


def test_a_revoked_client_and_its_tokens_end_at_once(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.token()}"}
    client_id, secret = world.credentials["clinic"]
    revoke_client(world.core, client_id, actor="cli:test")
    assert world.http.get("/fhir/Patient", headers=headers).status_code == 401
    refused = ask(world, {"grant_type": "client_credentials"}, basic=(client_id, secret))
    assert refused.get_json()["error"] == "invalid_client"


def test_the_database_holds_digests_only_and_forgets_what_expired(world: World) -> None:
    token = world.token()
    with world.database.read() as connection:
        rows = [*connection.execute(select(oauth_client)), *connection.execute(select(access_token))]
    assert not any(secret in str(rows) for secret in (token, *(pair[1] for pair in world.credentials.values())))
    world.clock.forward(seconds=301)
    world.token()
    with world.database.read() as connection:
        assert len(connection.execute(select(access_token)).all()) == 1


@pytest.mark.parametrize("prefix", ["", "/fhir"])
def test_discovery_leads_to_the_token_endpoint(world: World, prefix: str) -> None:
    found = world.http.get(f"{prefix}/.well-known/smart-configuration").get_json()
    assert found["token_endpoint"] == f"{BASE}/oauth/token"
    assert found["grant_types_supported"] == ["client_credentials"]
