"""Bodies made to hurt, and the ids of others in every place that takes one."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from fhir_mappings.json_text import write_json
from fhir_mappings.search_parameters import SEARCH_PARAMETERS, Kind
from gateway.services.resources import store_internal
from gateway.store.tables import resource
from gateway.web.application import create_application
from tests.statements import executed
from tests.unit.gateway.web.support import BASE, FHIR_JSON, World, bundle, order, patient, posted, problem, put

TEN_MEGABYTES = 10 * 1024 * 1024
START = b'{"resourceType":"Patient","extension":'
NOBODY = "aaaaaaaaaaaaaaaa"
XML = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Patient>&a;</Patient>'
TEXT = write_json(patient())


@pytest.fixture
def roomy(world: World) -> World:
    """Takes ten megabytes and a bit."""
    world.application = create_application(replace(world.edge, max_body_bytes=TEN_MEGABYTES + 1024))
    world.http = world.application.test_client()
    return world


def stored(world: World) -> int:
    with world.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(resource)).scalar_one())


def test_ten_megabytes_of_nesting_are_refused(roomy: World) -> None:
    for inner in (b"[", b'{"extension":[', b'[{"a":'):
        raw = START + inner * (TEN_MEGABYTES // len(inner))
        assert problem(roomy.ask("POST", "/Patient", raw=raw))[:2] == (400, "invalid")
    closed = START + b"[" * 5_000_000 + b"]" * 5_000_000 + b"}"
    assert problem(roomy.ask("POST", "/Patient", raw=closed))[:2] == (400, "invalid")
    wide = START + b"[" + b"{}," * 200_000 + b"{}]}"
    assert problem(roomy.ask("POST", "/Patient", raw=wide))[:2] == (400, "invalid")
    assert stored(roomy) == 0


@pytest.mark.parametrize(
    "value",
    [
        b"1e999999999",
        b"1" * 100_000,
        b"-" + b"9" * 5000 + b".5",
        b"NaN",
        b"-Infinity",
        b'"a\\u0000b"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'{"a":1,"a":2}',
        b"[[[[[[[[]]]]]]]]",
        b"'single'",
        b"",
        b"1,",
    ],
    ids=lambda value: str(value[:12]),
)
def test_what_json_parsers_disagree_on_is_refused(world: World, value: bytes) -> None:
    raw = b'{"resourceType":"Patient","multipleBirthInteger":' + value + b"}"
    assert problem(world.ask("POST", "/Patient", raw=raw))[:2] == (400, "invalid")
    assert stored(world) == 0


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (XML, {"Content-Type": "application/fhir+xml"}),
        (XML, {"Content-Type": "application/xml"}),
        (XML, {"Content-Type": "text/xml; charset=utf-8"}),
        (TEXT, {"Content-Type": "text/plain"}),
        (TEXT, {"Content-Type": "application/jsonp"}),
        (TEXT, {"Content-Type": "multipart/form-data; boundary=x"}),
        (TEXT, {"Content-Type": "application/x-www-form-urlencoded"}),
        (TEXT, {"Content-Type": ""}),
        (TEXT.decode().encode("utf-16"), {"Content-Type": f"{FHIR_JSON}; charset=utf-16"}),
        (TEXT, {"Content-Type": f"{FHIR_JSON}; charset=iso-8859-1"}),
        (TEXT, {"Content-Type": f"{FHIR_JSON}; fhirVersion=5.0"}),
        (gzip.compress(TEXT), {"Content-Encoding": "gzip"}),
        (TEXT, {"Content-Encoding": "br"}),
    ],
)
def test_another_kind_of_body_is_not_read(world: World, raw: bytes, headers: dict[str, str]) -> None:
    refused = world.ask("POST", "/Patient", raw=raw, headers=headers)
    assert problem(refused)[:2] == (415, "not-supported")
    assert "passwd" not in refused.text
    assert stored(world) == 0


@pytest.mark.parametrize(
    "raw",
    [
        XML,
        TEXT.decode().encode("utf-16"),
        TEXT.decode().encode("iso-8859-9"),
        gzip.compress(TEXT),
        b"\xef\xbb\xbf" + TEXT,
    ],
    ids=["xml", "utf-16", "latin-5", "gzip", "byte order mark"],
)
def test_a_body_that_lies_about_its_kind_is_refused(world: World, raw: bytes) -> None:
    assert problem(world.ask("POST", "/Patient", raw=raw))[:2] == (400, "invalid")


@pytest.mark.parametrize("tag", ['W/"0"', 'W/"x"', "*", 'W/"1", W/"2"', '"', 'W/"9999999999"', "", "W/1"])
def test_an_if_match_that_is_none_is_refused(world: World, tag: str) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    refused = world.ask("PUT", f"/Patient/{content['id']}", content, headers={"If-Match": tag})
    assert problem(refused) == (400, "invalid", "If-Match")
    far = world.ask("PUT", f"/Patient/{content['id']}", content, headers={"If-Match": 'W/"999999999"'})
    assert problem(far)[:2] == (412, "conflict")


@pytest.mark.parametrize("query", ["identifier=a|b", "_id=x", "If-None-Exist=x"])
def test_a_condition_in_the_url_is_refused_not_ignored(world: World, query: str) -> None:
    assert problem(world.ask("POST", f"/Patient?{query}", patient()))[:2] == (400, "invalid")
    assert stored(world) == 0


def theirs(world: World) -> dict[str, str]:
    """Type -> id of what the other clinic has."""
    ids = {"Patient": world.ask("POST", "/Patient", patient("9"), by="other-clinic").get_json(force=True)["id"]}
    made = [order(f"Patient/{ids['Patient']}"), {"resourceType": "Organization", "name": "x"}]
    for one in (*made, {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="}):
        answer = world.ask("POST", f"/{one['resourceType']}", one, by="other-clinic")
        ids[str(one["resourceType"])] = answer.get_json(force=True)["id"]
    with world.database.write("test.written") as connection:
        for kind in ("Communication", "Task", "ImagingStudy", "Consent", "Provenance", "Composition"):
            content = {"resourceType": kind, "for": {"reference": f"Patient/{ids['Patient']}"}}
            ids[kind] = store_internal(connection, world.party_ids["other-clinic"], content, now=world.clock()).id
    return ids


def asked_with(kind: str, key: str, mine: str) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """(method, path, body, headers) of every request in which an id of that type can stand."""
    for path in (f"/{kind}/{key}", f"/{kind}/{key}/_history", f"/{kind}/{key}/_history/1", f"/{kind}?_id={key},{mine}"):
        yield "GET", path, None, {}
    yield "PUT", f"/{kind}/{key}", {"resourceType": kind, "id": key}, {}
    yield "POST", "/Patient", _referring(f"{kind}/{key}"), {}
    if kind == "Patient":
        yield from _asked_with_a_patient(key, mine)


def _asked_with_a_patient(key: str, mine: str) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    for one, parameters in SEARCH_PARAMETERS.items():
        references = (parameter for parameter in parameters.values() if parameter.kind is Kind.REFERENCE)
        for number, parameter in enumerate(references if one != "AuditEvent" else ()):
            is_typed = number % 2 == 0 and parameter.target in ("", "Patient")
            yield "GET", f"/{one}?{parameter.name}={'Patient/' if is_typed else ''}{key}", None, {}
    changed = patient("7", id=key)
    yield "PUT", f"/Patient/{key}", changed, {"If-Match": 'W/"1"'}
    yield "POST", "", bundle(put(changed)), {}
    for literal in (f"Patient/{key}/_history/1", f"{BASE}/fhir/Patient/{key}"):
        yield "POST", "", bundle(posted(_referring(literal))), {}
        yield "PUT", f"/Patient/{mine}", _referring(literal) | {"id": mine}, {}


def _referring(literal: str) -> dict[str, Any]:
    return patient("7", extension=[{"url": "urn:x", "valueReference": {"reference": literal}}])


def test_what_others_have_cannot_be_told_from_what_never_was(world: World) -> None:
    others = theirs(world)
    mine = world.ask("POST", "/Patient", patient("1")).get_json(force=True)["id"]
    compared = 0
    for kind, key in others.items():
        pairs = zip(asked_with(kind, key, mine), asked_with(kind, NOBODY, mine), strict=True)
        for (method, path, body, headers), (_, of_nobody, empty, _) in pairs:
            answers = [_answered(world, method, *one, headers) for one in ((path, body), (of_nobody, empty))]
            taken, absent = ((status, text.replace(key, NOBODY), sql) for status, text, sql in answers)
            assert (kind, method, path.replace(key, NOBODY), *taken) == (kind, method, of_nobody, *absent)
            assert taken[0] in (200, 403, 404, 422, 400)
            compared += 1
    assert compared > 100
    assert [world.ask("GET", f"/{kind}/{key}", by="other-clinic").headers["ETag"] for kind, key in others.items()] == [
        'W/"1"'
    ] * len(others)


def _answered(world: World, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, str, list[str]]:
    """Status, body, and what was asked of the database."""
    with executed() as statements:
        answer: TestResponse = world.ask(method, path, body, headers=headers)
    if answer.status_code == 200 and "total" in answer.text:
        found = json.loads(answer.text)
        assert found["total"] == path.startswith("/Patient?_id=")
    return answer.status_code, answer.text, [one.sql for one in statements]
