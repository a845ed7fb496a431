"""Every FHIR interaction leaves an audit row, whether it was permitted or refused."""

from fhir_mappings.json_text import FHIR_JSON, write_json
from tests.unit.gateway.web.support import World, bundle, patient, posted

_NOBODY = "aaaaaaaaaaaaaaaa"
_IN_PATHS = {"resource_type": "Patient", "resource_id": _NOBODY, "version": "1", "event_id": "4711"}
_FOR_EVERYONE = frozenset(("fhir.metadata",))
"""What says nothing but what the server can do."""
_FORM = "application/x-www-form-urlencoded"
_ASKED = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "case", "valueReference": {"reference": f"ServiceRequest/{_NOBODY}"}},
        {"name": "recipient", "valueReference": {"identifier": {"system": "https://parties.example", "value": "x"}}},
    ],
}
_SENT: dict[str, tuple[str, bytes]] = {
    "fhir.transaction": (FHIR_JSON, write_json(bundle(posted(patient("1"))))),
    "fhir.transaction_slash": (FHIR_JSON, write_json(bundle(posted(patient("2"))))),
    "fhir.create": (FHIR_JSON, write_json(patient("3"))),
    "fhir.update": (FHIR_JSON, write_json(patient("4") | {"id": _NOBODY})),
    "fhir.decide": (FHIR_JSON, write_json(_ASKED)),
    "fhir.search_by_form": (_FORM, b"gender=female"),
    "fhir.audit_events_by_form": (_FORM, b"action=R"),
}
"""What is understood there."""
_ANSWERS = (200, 201, 404)
"""Nothing was refused before it was looked for."""


def test_every_fhir_interaction_leaves_a_row_whether_it_is_permitted_or_refused(world: World) -> None:
    routes = [rule for rule in world.application.url_map.iter_rules() if rule.endpoint.startswith("fhir.")]
    for rule in routes:
        if rule.endpoint in _FOR_EVERYONE:
            continue
        [method] = {"GET", "POST", "PUT"} & (rule.methods or set())
        before = _newest(world)
        path = rule.rule.removeprefix("/fhir")
        for part, value in _IN_PATHS.items():
            path = path.replace(f"<{part}>", value)
        kind, raw = _SENT[rule.endpoint] if method != "GET" else ("", None)
        response = world.ask(method, path, by="clinic", raw=raw, headers={"Content-Type": kind} if kind else None)
        said = (rule.rule, response.status_code)
        assert response.status_code in _ANSWERS, (*said, response.text)
        assert _newest(world) > before, said


def _newest(world: World) -> int:
    with world.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM audit").scalar_one())
