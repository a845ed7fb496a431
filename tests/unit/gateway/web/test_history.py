"""Every version of one resource, newest first, page by page, for whoever has it."""

from typing import Any

import pytest

from fhir_mappings.validation import check_resource
from gateway.store import forgetting
from tests.unit.gateway.web.support import BASE, World, patient, problem

VERSIONS = 5


@pytest.fixture
def address(world: World) -> str:
    """Of a Patient with that many versions."""
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    for number in range(2, VERSIONS + 1):
        changed = content | {"birthDate": f"199{number}"}
        assert world.ask("PUT", f"/Patient/{content['id']}", changed).status_code == 200
    return f"/Patient/{content['id']}"


def page(world: World, path: str) -> dict[str, Any]:
    answer = world.ask("GET", path)
    assert answer.status_code == 200, answer.text
    bundle: dict[str, Any] = answer.get_json(force=True)
    check_resource(bundle, ("Bundle",))
    return bundle


def test_every_version_is_there_newest_first(world: World, address: str) -> None:
    bundle = page(world, f"{address}/_history")
    assert (bundle["type"], bundle["total"], bundle["link"]) == (
        "history",
        VERSIONS,
        [{"relation": "self", "url": f"{BASE}/fhir{address}/_history"}],
    )
    newest, *_, first = bundle["entry"]
    assert [one["resource"]["meta"]["versionId"] for one in bundle["entry"]] == ["5", "4", "3", "2", "1"]
    assert (newest["fullUrl"], newest["request"]) == (
        f"{BASE}/fhir{address}",
        {"method": "PUT", "url": address.removeprefix("/")},
    )
    assert newest["response"] == {"status": "200 OK", "etag": 'W/"5"', "lastModified": "2026-03-02T09:30:00.123Z"}
    assert (first["request"], first["response"]["status"]) == ({"method": "POST", "url": "Patient"}, "201 Created")
    assert len(world.audit_rows("fhir.read")) == VERSIONS


def test_pages_follow_each_other(world: World, address: str) -> None:
    seen, path = [], f"{address}/_history?_count=2"
    while path:
        bundle = page(world, path)
        seen += [one["resource"]["meta"]["versionId"] for one in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        path = links.get("next", "").removeprefix(f"{BASE}/fhir")
    assert seen == ["5", "4", "3", "2", "1"]


def test_what_is_not_understood_is_refused(world: World, address: str) -> None:
    too_long = f"_before={'0' * 9}{'1' * 20}"
    for query in ("_count=0", "_count=x", "_before=0", "_before=²", "_since=2026", "_count=99999999999", too_long):
        assert (query, *problem(world.ask("GET", f"{address}/_history?{query}"))[:2]) == (query, 400, "invalid")


def test_others_learn_nothing_and_what_is_gone_is_gone(world: World, address: str) -> None:
    refused = world.ask("GET", f"{address}/_history", by="other-clinic")
    unknown = world.ask("GET", "/Patient/nobody/_history", by="other-clinic")
    assert problem(refused) == problem(unknown) == (404, "not-found", "")
    assert refused.text.replace(address.rpartition("/")[2], "") == unknown.text.replace("nobody", "")
    assert problem(world.ask("GET", "/Observation/x/_history"))[0] == 404
    with world.database.write("test") as connection:
        forgetting.empty_resources(connection, {address.rpartition("/")[2]}, world.clock())
    assert problem(world.ask("GET", f"{address}/_history"))[:2] == (410, "deleted")
