"""What a token does not name cannot be done with it."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.services.clients import add_client, set_scopes
from gateway.web.fhir.authentication import LETTERS
from tests.unit.gateway.web.support import FHIR_JSON, World, bundle, order, patient, posted, problem, put

PATIENT = "urn:uuid:6b1cd3b5-a6a2-4a5e-8f3e-000000000001"
CONDITION = {"If-None-Exist": "identifier=https%3A%2F%2Fclinic.example%2Fmrn%7C4711"}


def token(world: World, scope: str, party: str = "clinic") -> str:
    """Of a client that may do everything and wishes for this alone."""
    client_id, secret = world.credentials[party]
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": scope}
    return str(world.http.post("/oauth/token", data=form).get_json()["access_token"])


def ask(world: World, scope: str, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
    return world.ask(method, path, body, headers={"Authorization": f"Bearer {token(world, scope)}", **headers})


def test_every_interaction_has_its_letter(world: World) -> None:
    routes = {rule.endpoint for rule in world.application.url_map.iter_rules() if rule.endpoint.startswith("fhir.")}
    assert routes - {"fhir.metadata"} == set(LETTERS)
    assert {letter for letters in LETTERS.values() for letter in letters} <= set("cruds")


@pytest.mark.parametrize(
    ("letter", "method", "path", "body", "headers"),
    [
        ("r", "GET", "/Patient/{id}", None, {}),
        ("r", "GET", "/Patient/{id}/_history/1", None, {}),
        ("r", "GET", "/Patient/{id}/_history", None, {}),
        ("s", "GET", "/Patient", None, {}),
        ("s", "POST", "/Patient/_search", None, {"Content-Type": "application/x-www-form-urlencoded"}),
        ("c", "POST", "/Patient", patient("4712"), {}),
        ("cs", "POST", "/Patient", patient(), CONDITION),
        ("u", "PUT", "/Patient/{id}", patient(gender="female"), {}),
        ("c", "POST", "", bundle(posted(patient("4713"))), {}),
        ("u", "POST", "/", bundle(put(patient(id="{id}"))), {}),
    ],
    ids=range(10),
)
def test_an_interaction_takes_its_letters_and_no_other(
    world: World, letter: str, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    resource_id = world.ask("POST", "/Patient", patient()).get_json(force=True)["id"]
    path = path.replace("{id}", resource_id)
    if method == "PUT":
        body = body | {"id": resource_id}
    elif path == "/":
        body = bundle(put(patient(id=resource_id)))
    ordered = "".join(one for one in "cruds" if one in letter)
    without = "".join(one for one in "crud" if one not in letter) + ("" if "s" in letter else "s")
    refused = ask(world, f"system/Patient.{without} system/Consent.crus", method, path, body, **headers)
    status, code, _ = problem(refused)
    assert (status, code) == (403, "forbidden")
    assert f"system/Patient.{ordered}" in refused.text
    named = f'scope="system/Patient.{ordered}"'
    assert refused.headers["WWW-Authenticate"] == f'Bearer realm="consilium", error="insufficient_scope", {named}'
    assert ask(world, f"system/Patient.{ordered}", method, path, body, **headers).status_code in (200, 201)
    rows = world.audit_rows("fhir.denied")
    said = [(row.actor, row.outcome, row.subject, row.details["reason"]) for row in rows]
    assert said == [("clinic-client", "denied", "Patient", f"system/Patient.{ordered}")]


def test_every_entry_of_a_transaction_is_asked_for(world: World) -> None:
    entries = bundle(posted(patient(), PATIENT), posted(order(PATIENT)))
    refused = ask(world, "system/Patient.c", "POST", "", entries)
    assert (refused.status_code, "system/ServiceRequest.c" in refused.text) == (403, True)
    assert world.effects.seen == []
    conditional = bundle(posted(patient(), ifNoneExist="identifier=https://clinic.example/mrn|4711"))
    assert "system/Patient.s" in ask(world, "system/*.c", "POST", "", conditional).text
    assert ask(world, "system/*.cs", "POST", "", conditional).status_code == 200


def test_a_token_ends_when_its_client_is_registered_for_something_else(world: World) -> None:
    new = add_client(world.core, "clinic", "reader", actor="cli:test")
    form = {"grant_type": "client_credentials", "client_id": "reader", "client_secret": new.secret}
    bearer = {"Authorization": f"Bearer {world.http.post('/oauth/token', data=form).get_json()['access_token']}"}
    assert world.http.get("/fhir/Task", headers=bearer).status_code == 200
    assert set_scopes(world.core, "reader", "system/Patient.r", actor="cli:test") == "system/Patient.r"
    assert world.http.get("/fhir/Task", headers=bearer).status_code == 401
    assert world.http.post("/oauth/token", data=form).get_json()["scope"] == "system/Patient.r"
    [row] = world.audit_rows("client.set-scopes")
    assert (row.actor, row.subject, row.details["to"]) == ("cli:test", "reader", "system/Patient.r")


def test_a_client_gets_no_more_than_it_was_registered_for(world: World) -> None:
    new = add_client(world.core, "clinic", "reader", scope="system/Task.rs system/Patient.r", actor="cli:test")
    form = {"grant_type": "client_credentials", "client_id": "reader", "client_secret": new.secret}
    granted = {
        wish: world.http.post("/oauth/token", data=form | ({"scope": wish} if wish else {})).get_json()
        for wish in ("", "system/*.cruds", "system/Patient.read", "system/Consent.rs", "system/Patient.c")
    }
    assert {wish: answer.get("scope", answer.get("error")) for wish, answer in granted.items()} == {
        "": "system/Patient.r system/Task.rs",
        "system/*.cruds": "system/Patient.r system/Task.rs",
        "system/Patient.read": "system/Patient.r",
        "system/Consent.rs": "invalid_scope",
        "system/Patient.c": "invalid_scope",
    }


@pytest.mark.parametrize(
    "scope", ["system/Patient.rs?identifier=4711", "patient/*.rs", "system/Patient.sr", "openid", "system/Foo.r"]
)
def test_a_wish_that_is_no_scope_of_ours_is_refused(world: World, scope: str) -> None:
    client_id, secret = world.credentials["clinic"]
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": scope}
    refused = world.http.post("/oauth/token", data=form)
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_scope")
    assert "4711" not in refused.text


def test_what_is_no_type_is_not_found_and_not_repeated(world: World) -> None:
    refused = ask(world, "system/Patient.r", "GET", '/Öz"türk/4711')
    assert refused.status_code == 404
    assert "türk" not in refused.text + str(refused.headers)


def test_a_token_is_of_its_party_whatever_its_scope(world: World) -> None:
    resource_id = world.ask("POST", "/Patient", patient()).get_json(force=True)["id"]
    stolen = {"Authorization": f"Bearer {token(world, 'system/*.cruds', 'other-clinic')}", "Accept": FHIR_JSON}
    assert world.http.get(f"/fhir/Patient/{resource_id}", headers=stolen).status_code == 404
    assert world.http.get("/fhir/Patient", headers=stolen).get_json(force=True)["total"] == 0
