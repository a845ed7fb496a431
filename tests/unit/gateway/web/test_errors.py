import io
import logging

import pytest
import structlog
from werkzeug.test import TestResponse

from fhir_mappings.json_text import write_json
from gateway.domain.errors import Ambiguous, Full, Permanent, Transient
from tests.unit.gateway.web.support import FHIR_JSON, World, patient, problem


def test_who_shows_no_token_or_a_bad_one_is_asked_for_one(world: World) -> None:
    bare = world.http.get("/fhir/Patient/x")
    assert problem(bare) == (401, "login", "")
    assert bare.headers["WWW-Authenticate"] == 'Bearer realm="consilium"'
    wrong = world.http.get("/fhir/Patient/x", headers={"Authorization": "Bearer nonsense"})
    assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="consilium", error="invalid_token"'
    assert problem(world.http.get("/fhir/Patient/x", headers={"Authorization": "Basic eDp5"}))[0] == 401


def test_a_token_ends_with_its_time(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.token()}"}
    world.clock.forward(seconds=299)
    assert world.http.get("/fhir/Patient", headers=headers).status_code == 200
    world.clock.forward(seconds=2)
    assert world.http.get("/fhir/Patient", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/fhir+xml", ""),
        ("text/plain", ""),
        ("application/fhir+json; charset=latin-1", ""),
        ("application/fhir+json; fhirVersion=5.0", ""),
        (FHIR_JSON, "gzip"),
    ],
)
def test_only_plain_r4_json_in_utf_8_is_taken(world: World, content_type: str, encoding: str) -> None:
    headers = {"Content-Type": content_type, **({"Content-Encoding": encoding} if encoding else {})}
    assert problem(world.ask("POST", "/Patient", raw=b"{}", headers=headers))[:2] == (415, "not-supported")


@pytest.mark.parametrize("content_type", ["application/json", "application/fhir+json; fhirVersion=4.0; charset=UTF-8"])
def test_json_by_any_of_its_names_is_taken(world: World, content_type: str) -> None:
    assert world.ask("POST", "/Patient", patient(), headers={"Content-Type": content_type}).status_code == 201


def test_answers_are_json_or_nothing(world: World) -> None:
    assert problem(world.http.get("/fhir/metadata", headers={"Accept": "application/fhir+xml"}))[0] == 406
    assert problem(world.ask("GET", "/Patient?_format=xml"))[0] == 406
    assert problem(world.ask("GET", "/Patient/x", headers={"Accept": "text/html"}))[0] == 406
    for accepted in ("*/*", "application/*", "application/fhir+xml, application/fhir+json;q=0.5"):
        assert world.http.get("/fhir/metadata", headers={"Accept": accepted}).mimetype == FHIR_JSON
    assert world.http.get("/fhir/metadata", headers={"Accept": "application/json"}).mimetype == "application/json"
    assert world.http.get("/fhir/metadata?_format=application/fhir+json").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"resourceType":"Patient","gender":"male","gender":"female"}',
        b'{"a":NaN}',
        b"\xff",
        b'{"a":' + b"[" * 60 + b"]" * 60 + b"}",
        b"[" * 200_000,
    ],
)
def test_what_is_no_strict_json_object_is_refused(world: World, body: bytes) -> None:
    assert problem(world.ask("POST", "/Patient", raw=body))[:2] == (400, "invalid")


def test_too_long_a_body_is_refused_with_the_limit(world: World) -> None:
    long = patient(text={"status": "generated", "div": "x" * 1_000_001})
    refused = world.ask("POST", "/Patient", long)
    assert problem(refused)[:2] == (413, "too-long")
    assert "1000000 bytes" in refused.text


def chunked(world: World, path: str, body: io.BytesIO, content_type: str) -> TestResponse:
    """A request without Content-Length, as gunicorn hands it on."""
    environment = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    headers = {"Authorization": f"Bearer {world.token()}", "Content-Type": content_type}
    return world.http.post(path, input_stream=body, headers=headers, environ_overrides=environment)


def test_a_body_without_a_length_is_cut_off_at_the_limit(world: World) -> None:
    body = io.BytesIO(b" " * 5_000_000)
    refused = chunked(world, "/fhir/Patient", body, FHIR_JSON)
    assert problem(refused)[:2] == (413, "too-long")
    assert "1000000 bytes" in refused.text
    assert body.tell() <= 1_000_001


def test_a_body_without_a_length_may_fill_the_limit(world: World) -> None:
    body = io.BytesIO(write_json(patient()).ljust(1_000_000))
    assert chunked(world, "/fhir/Patient", body, FHIR_JSON).status_code == 201


@pytest.mark.parametrize(("path", "most"), [("/fhir/Patient/_search", 65_536), ("/oauth/token", 16_384)])
def test_a_form_without_a_length_is_cut_off_too(world: World, path: str, most: int) -> None:
    body = io.BytesIO(b"identifier=" + b"x" * 500_000)
    refused = chunked(world, path, body, "application/x-www-form-urlencoded")
    if path == "/oauth/token":
        assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_request")  # RFC 6749 5.2
    else:
        assert problem(refused)[:2] == (413, "too-long")
    assert f"{most} bytes" in refused.text
    assert body.tell() <= most + 1


def test_a_full_disk_is_refused_before_anything_is_read(world: World) -> None:
    world.disk.free_bytes = 10
    assert problem(world.ask("POST", "/Patient", patient()))[:2] == (507, "no-store")


def test_unknown_routes_and_methods_get_an_outcome_too(world: World) -> None:
    absent = world.http.get("/nothing/here")
    assert problem(absent)[:2] == (404, "not-found")
    assert "FHIR is below /fhir" in absent.text
    for refused in (world.ask("DELETE", "/Patient/x"), world.http.delete("/readyz")):
        assert problem(refused)[:2] == (405, "not-supported")
        assert "the header Allow names those" in refused.text
        assert "GET" in refused.headers["Allow"]


def test_what_passes_says_when_to_come_back(world: World) -> None:
    world.effects.refusals["Patient"] = Transient("busy", retry_after_s=17.4)
    refused = world.ask("POST", "/Patient", patient())
    assert (problem(refused)[:2], refused.headers["Retry-After"]) == ((503, "transient"), "17")
    world.effects.refusals["Patient"] = Full("no room")
    assert problem(world.ask("POST", "/Patient", patient()))[:2] == (507, "no-store")


@pytest.mark.parametrize("failure", [RuntimeError("Öztürk 4711"), Permanent("Öztürk"), Ambiguous("Öztürk")])
def test_the_unexpected_gives_an_id_to_the_caller_and_the_places_to_the_log(world: World, failure: Exception) -> None:
    world.effects.refusals["Patient"] = failure
    with structlog.testing.capture_logs() as lines:
        response = world.ask("POST", "/Patient", patient())
    assert problem(response)[:2] == (500, "exception")
    (failed,) = [line for line in lines if line["event"] == "request failed"]
    assert failed["request_id"] in response.text
    assert failed["request_id"] == response.headers["X-Request-Id"]
    assert any("support.py" in place for place in failed["places"])
    assert "Öztürk" not in str(lines) + response.text
    assert type(failure).__name__ in failed["causes"][0]


def test_the_access_log_has_ids_and_routes_and_no_query(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        world.ask("GET", "/Patient?identifier=https://clinic.example/mrn|4711")
        world.http.get("/fhir/Patient/x")
        world.http.get("/4711")
    shown = [(line["method"], line["route"], line["status"], line["client_id"]) for line in lines]
    assert shown == [
        ("GET", "/fhir/<resource_type>", 200, "clinic-client"),
        ("GET", "/fhir/<resource_type>/<resource_id>", 401, ""),
        ("GET", "unmatched", 404, ""),
    ]
    assert all(line["duration_ms"] >= 0 and len(line["request_id"]) == 16 for line in lines)
    assert "4711" not in str(lines) + caplog.text


def test_a_nul_character_is_refused_wherever_it_comes(world: World) -> None:
    assert problem(world.ask("GET", "/Patient/a%00b"))[:2] == (404, "not-found")
    assert problem(world.ask("PUT", "/Patient/a%00b", patient(id="a")))[0] in (400, 404)
    assert problem(world.ask("POST", "/Patient", raw=rb'{"resourceType":"Patient","id":"\u0000"}'))[:2] == (
        400,
        "invalid",
    )
    form = {"grant_type": "client_credentials", "client_id": "a\0", "client_secret": "b"}
    assert world.http.post("/oauth/token", data=form).get_json()["error"] == "invalid_client"
