"""A search result is believed only where it can mean nothing else."""

from typing import Any

import httpx
import pytest

from gateway.domain.errors import Permanent
from gateway.domain.party import FhirAddress, Identifier
from tests.unit.workers.ehr.double import wired_to
from workers.ehr.client import Session
from workers.ehr.search import has_identifier, search_by_identifier, token

OURS = Identifier("urn:x", "1")
HIT = {"resourceType": "DiagnosticReport", "id": "a", "identifier": [{"system": "urn:x", "value": "1"}]}
NEXT = [{"relation": "next", "url": "https://elsewhere.example/page2"}]


def search(bundle: Any) -> list[dict[str, Any]]:
    answer = {"resourceType": "Bundle", **bundle}
    wiring = wired_to(lambda request: httpx.Response(200, json=answer))
    with Session(FhirAddress("https://e.example/fhir"), before_send=lambda: None, wiring=wiring) as session:
        return search_by_identifier(session, "DiagnosticReport", [OURS], may_use_url=True)


@pytest.mark.parametrize(
    ("identifier", "written"),
    [
        (Identifier("urn:x", "1"), "urn:x|1"),
        (Identifier("urn:x", "a|b,c$d\\e"), "urn:x|a\\|b\\,c\\$d\\\\e"),
    ],
)
def test_a_token_is_escaped(identifier: Identifier, written: str) -> None:
    assert token(identifier) == written


def test_a_match_is_found_once_however_often_it_is_listed() -> None:
    entry = {"resource": HIT, "search": {"mode": "match"}}

    assert search({"total": 1, "entry": [entry, {"resource": HIT}]}) == [HIT]


def test_includes_and_outcomes_are_no_matches() -> None:
    outcome = {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}
    include = {"resource": {**HIT, "id": "b"}, "search": {"mode": "include"}}

    assert search({"total": 0, "entry": [outcome, include]}) == []


@pytest.mark.parametrize(
    "bundle",
    [
        {"total": 2, "entry": [{"resource": HIT}]},
        {"total": 1, "entry": []},
        {"link": NEXT, "entry": [{"resource": HIT}]},
        {"link": NEXT},
    ],
)
def test_an_incomplete_answer_is_not_believed(bundle: dict[str, Any]) -> None:
    with pytest.raises(Permanent, match="does not show all matches"):
        search(bundle)


@pytest.mark.parametrize("entry", [None, "x", {"resource": HIT}])
def test_a_bundle_that_cannot_be_read_is_refused(entry: Any) -> None:
    with pytest.raises(Permanent, match="cannot be read"):
        search({"entry": entry})


@pytest.mark.parametrize("entries", [[None], ["x"], [{}], [{"resource": "x"}]])
def test_odd_entries_are_no_matches(entries: list[Any]) -> None:
    assert search({"entry": entries}) == []


@pytest.mark.parametrize(
    "held", [None, "x", [], [None], [{"value": "1"}], [{"system": "urn:x"}], [{"system": "urn:y", "value": "1"}]]
)
def test_an_identifier_is_compared_exactly(held: Any) -> None:
    assert not has_identifier({"identifier": held}, OURS)
