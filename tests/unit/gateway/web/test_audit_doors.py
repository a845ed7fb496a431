"""Every FHIR interaction leaves an audit row, whether it was permitted or refused."""

from tests.unit.gateway.web.support import World

_NOBODY = "aaaaaaaaaaaaaaaa"
_IN_PATHS = {"resource_type": "Patient", "resource_id": _NOBODY, "version": "1", "event_id": "4711"}
_FOR_EVERYONE = frozenset(("fhir.metadata",))
"""What says nothing but what the server can do."""
_NOT_UNDERSTOOD = (400, 415, 422)
"""Nothing was looked for yet."""


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
        body = {"resourceType": "Patient", "id": _NOBODY} if method != "GET" else None
        response = world.ask(method, path, body, by="clinic")
        said = (rule.rule, response.status_code)
        assert _newest(world) > before or response.status_code in _NOT_UNDERSTOOD, said


def _newest(world: World) -> int:
    with world.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM audit").scalar_one())
