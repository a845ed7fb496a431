"""Whatever is made of a valid resource is stored and reads back as it was sent, or refused with an OperationOutcome."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_mappings.json_text import FHIR_JSON
from gateway.demo import resources as demo
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier
from gateway.services.effects import before_storing, effects
from gateway.store.engine import Database
from gateway.web.application import create_application
from tests.unit.gateway.web.support import World

Path_ = tuple[str | int, ...]
EXAMPLES = 100
CLINIC = Identifier("https://parties.example", "clinic")
REVIEWER = Identifier("https://parties.example", "reviewer")
DATA = demo.CaseData(
    "Öztürk", "Ayşe Işıl", date(1961, 4, 23), "female", "4711", "ORD-1", "1.2.3", "A-1", CLINIC, REVIEWER
)
PERIOD = {"start": "2026-01-01", "end": "2027"}
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.sampled_from(["", " ", "#", "#x", "\0", "\ud800", "urn:uuid:x", "Patient/p", "2026-02-30", "9999", "<div/>"]),
    st.sampled_from([[], {}, [None], [[]], {"id": "x"}, {"extension": []}, {"reference": "#"}, {"coding": [{}]}]),
)
FIXED = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
NAMES = ("extension", "_status", "contained", "modifierExtension", "id", "meta", "text", "reference", "start", "ünsal")


def samples(patient: str, order: str) -> list[dict[str, Any]]:
    subject = {"reference": patient}
    return [
        demo.organization(DATA) | {"address": [{"use": "work", "city": "Ankara"}]},
        demo.patient_resource(DATA) | {"telecom": [{"system": "phone", "value": "1", "period": PERIOD}]},
        demo.service_request(DATA, patient, "Organization/none") | {"requester": {"identifier": {"value": "x"}}},
        demo.consent(DATA, Flow.DISCLOSE_TO_REVIEWER, patient),
        demo.document(patient, order, b"%PDF-1.7"),
        {"resourceType": "RelatedPerson", "patient": subject, "relationship": [{"text": "x"}], "birthDate": "1940"},
        {"resourceType": "Practitioner", "identifier": [{"system": "a", "value": "b"}], "name": [{"family": "Ünal"}]},
        {"resourceType": "PractitionerRole", "period": PERIOD, "code": [{"text": "surgeon"}]},
        {
            "resourceType": "Provenance",
            "target": [{"reference": order}],
            "recorded": "2026-03-02T09:00:00+03:00",
            "agent": [{"who": {"display": "Dr. Ünal"}}],
        },
        {"resourceType": "Binary", "contentType": "application/pdf", "data": "JVBERi0="},
    ]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[float, str, str, Any]]:
    """What is done at which place (a share of all there are), with which name and value."""
    kinds = st.sampled_from(["replace", "replace", "delete", "add", "repeat", "nest"])
    one = st.tuples(st.floats(0, 0.999), kinds, st.sampled_from(NAMES), WRONG)
    return draw(st.lists(one, max_size=2))


def changed(resource: dict[str, Any], made: list[tuple[float, str, str, Any]]) -> Any:
    root = {"": copy.deepcopy(resource)}
    for share, kind, name, value in made:
        there = [path for path in places(root) if path]
        *outer, last = there[int(share * len(there))]
        holder: Any = root
        for step in outer:
            holder = holder[step]
        _change(holder, last, kind, name, copy.deepcopy(value))
        if not isinstance(root.get(""), dict):
            break
    return root.get("")


def _change(holder: Any, last: str | int, kind: str, name: str, value: Any) -> None:
    there = holder[last]
    if kind == "delete":
        del holder[last]
    elif kind == "repeat":
        holder[last] = [*there, *there] if isinstance(there, list) else [there, there]
    elif kind == "nest":
        holder[last] = {name: there}
    elif kind == "add" and isinstance(there, dict):
        there[name] = value
    else:
        holder[last] = value


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    """With the effects that the gateway has, not with stand-ins."""
    world = World(database, tmp_path)
    edge = replace(world.edge, effects=effects(world.core), before_storing=before_storing(world.core))
    world.application = create_application(edge)
    world.http = world.application.test_client()
    return world


def test_any_json_is_stored_as_it_is_or_refused_in_words(world: World) -> None:
    answer = world.ask("POST", "", demo.clinic_bundle(DATA, b"%PDF-1.7"), headers={"Prefer": "return=representation"})
    ids = {one["resource"]["resourceType"]: one["resource"]["id"] for one in answer.get_json(force=True)["entry"]}
    known = samples(f"Patient/{ids['Patient']}", f"ServiceRequest/{ids['ServiceRequest']}")
    numbers, statuses = count(1), set()

    @settings(FIXED, max_examples=EXAMPLES)
    @given(st.sampled_from(known), changes())
    def each(sample: dict[str, Any], made: list[tuple[float, str, str, Any]]) -> None:
        text = json.dumps(sample).replace("4711", f"{next(numbers)}").replace("ORD-1", f"ORD-{next(numbers)}")
        sent = changed(json.loads(text), made)
        kind = sample["resourceType"]
        stored = world.ask("POST", f"/{kind}", raw=json.dumps(sent).encode())
        statuses.add(stored.status_code)
        assert stored.mimetype == FHIR_JSON
        if stored.status_code != 201:
            assert 400 <= stored.status_code < 500
            [issue] = stored.get_json(force=True)["issue"]
            assert issue["severity"] == "error"
            assert issue["diagnostics"]
            return
        read = world.ask("GET", f"/{kind}/{stored.get_json(force=True)['id']}")
        assert (read.status_code, read.data) == (200, stored.data)
        content = read.get_json(force=True)
        assert {k: v for k, v in content.items() if k not in ("id", "meta")} == {
            k: v for k, v in sent.items() if k not in ("id", "meta")
        }

    each()
    assert {201, 400, 422} <= statuses
