"""A write that is refused leaves a row of its own, and nothing of what was sent."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.gateway.web.support import World, bundle, order, patient, posted

NAME = "Mueller"


def refused(world: World) -> list[tuple[str, dict[str, Any]]]:
    rows = world.audit_rows("fhir.refused")
    assert {(row.outcome, row.details["reason"], row.details["address"]) for row in rows} <= {
        ("failure", "refused", "127.0.0.1")
    }
    assert {row.actor for row in rows} <= {world.credentials["clinic"][0]}
    assert {row.details["party"] for row in rows} <= {world.party_ids["clinic"]}
    told = ("interaction", "status", "at")
    return [(row.subject, {name: row.details[name] for name in told if name in row.details}) for row in rows]


@pytest.mark.parametrize(
    ("method", "path", "sent", "told"),
    [
        ("POST", "/Patient", {"body": patient(gender=NAME)}, ("create", 400, "Patient.gender")),
        ("POST", "/Patient", {"body": patient(Mueller=[1])}, ("create", 400, "Patient")),
        ("POST", "/Patient", {"body": patient(name=[{NAME: 1}])}, ("create", 400, "Patient.name[0]")),
        ("POST", "/Patient", {"raw": b"{"}, ("create", 400, None)),
        ("POST", "/Patient", {"raw": b"x", "headers": {"Content-Type": "text/plain"}}, ("create", 415, None)),
        ("POST", "/Patient", {"raw": b"x" * 1_000_001}, ("create", 413, None)),
        ("POST", "/Patient", {"body": patient(), "headers": {"If-None-Exist": NAME}}, ("create", 400, "If-None-Exist")),
        ("POST", "", {"body": bundle(posted(patient(gender=NAME)))}, ("transaction", 400, "Bundle.entry[0].resource")),
    ],
    ids=["code", "element", "inner-element", "no-json", "type", "size", "condition", "transaction"],
)
def test_what_is_not_taken_leaves_a_row_without_what_was_sent(
    world: World, method: str, path: str, sent: dict[str, Any], told: tuple[str, int, str | None]
) -> None:
    interaction, status, at = told
    assert world.ask(method, path, **sent).status_code == status
    details = {"interaction": interaction, "status": status} | ({"at": at} if at else {})
    assert refused(world) == [(path.removeprefix("/"), details)]
    assert NAME not in str(world.audit_rows("fhir.refused"))


def test_a_conflict_a_stale_version_and_a_missing_target_leave_rows(world: World) -> None:
    found = world.ask("POST", "/Patient", patient()).get_json(force=True)
    path = f"/Patient/{found['id']}"
    answers = [
        world.ask("POST", "/Patient", patient()),
        world.ask("PUT", path, found, headers={"If-Match": 'W/"7"'}),
        world.ask("POST", "/ServiceRequest", order("Patient/nobody")),
    ]
    assert [answer.status_code for answer in answers] == [409, 412, 422]
    assert [(subject, details["status"]) for subject, details in refused(world)] == [
        ("Patient", 409),
        ("Patient", 412),
        ("ServiceRequest", 422),
    ]


def test_what_is_taken_or_only_read_leaves_none(world: World) -> None:
    assert world.ask("POST", "/Patient", patient()).status_code == 201
    assert world.ask("GET", "/Patient?nonsense=1").status_code == 400
    assert refused(world) == []


def test_more_than_the_limit_is_told_by_the_next_request_a_minute_later(world: World) -> None:
    for _ in range(33):
        assert world.ask("POST", "/Patient", raw=b"{").status_code == 400
    assert len(refused(world)) == 30
    world.clock.forward(seconds=timedelta(minutes=1).total_seconds())
    assert world.http.get("/healthz").status_code in (200, 404)
    [row] = world.audit_rows("refusals.left-out")
    assert (row.actor, row.details["left_out"]) == (world.credentials["clinic"][0], 3)
