"""GET /fhir/{type}/{id}/_history: every version of one resource (https://hl7.org/fhir/R4/http.html#history)."""

from typing import Any

from flask import Response, request

from fhir_mappings.bundle import history
from gateway.domain.errors import Invalid
from gateway.domain.resource import StoredResource
from gateway.services import resource_reading
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import full_url, json_response, version_tag

PAGE_SIZE = 20
_MOST_VERSIONS = 999_999_999
_LONGEST = len(str(_MOST_VERSIONS))
_PRESENTATION = ("_format", "_pretty")


def run(edge: Edge, resource_type: str, resource_id: str) -> Response:
    """A page of versions, newest first; `_before` is the one of a next link."""
    if set(request.args) - {"_count", "_before", *_PRESENTATION}:
        raise Invalid("only _count is supported for a history")
    count = min(_number("_count", PAGE_SIZE), PAGE_SIZE)
    before = _number("_before", _MOST_VERSIONS)
    found = resource_reading.history(
        edge.database, current_caller(), resource_type, resource_id, before=before, count=count, now=edge.now()
    )
    address = f"{edge.fhir_url}/{resource_type}/{resource_id}/_history"
    links = [("self", f"{address}?_count={count}&_before={before}" if request.args else address)]
    if found.next_before:
        links.append(("next", f"{address}?_count={count}&_before={found.next_before}"))
    return json_response(history((_entry(edge, one) for one in found.versions), total=found.total, links=links))


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name, str(otherwise))
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST or int(text) < 1:
        raise Invalid(f"{name} is a number from 1", at=name)
    return int(text)


def _entry(edge: Edge, version: StoredResource) -> dict[str, Any]:
    is_first = version.version == 1
    return {
        "fullUrl": full_url(edge, version),
        "resource": version.content,
        "request": {
            "method": "POST" if is_first else "PUT",
            "url": version.type if is_first else f"{version.type}/{version.id}",
        },
        "response": {
            "status": "201 Created" if is_first else "200 OK",
            "etag": version_tag(version),
            "lastModified": version.content["meta"]["lastUpdated"],
        },
    }
