"""Bodies in and out: JSON only, as strict as it has to be, with the headers that FHIR wants.

https://hl7.org/fhir/R4/http.html#mime-type, #versioning, #ops (Prefer)
"""

import re
from typing import Any

from flask import Response, request
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType
from werkzeug.http import http_date

from fhir_mappings.json_text import FHIR_JSON, read_json, write_json
from fhir_mappings.operation_outcome import operation_outcome
from gateway.domain.errors import Invalid
from gateway.domain.resource import StoredResource
from gateway.services.resource_transaction import Stored
from gateway.web.body import read_bytes
from gateway.web.edge import Edge

_JSON_TYPES = (FHIR_JSON, "application/json")
_JSON_FORMATS = frozenset(("json", *_JSON_TYPES))
_PREFERENCE = re.compile(r"(?:^|[\s,;])return\s*=\s*\"?(minimal|representation|OperationOutcome)\b")


def check_acceptable() -> None:
    """Refuse (406) a request that takes no JSON: `_format` decides, else Accept."""
    wished = request.args.get("_format", "")
    if wished:
        # A `+` in a query is a blank unless it was escaped, and many clients do not escape it.
        is_acceptable = wished.replace(" ", "+") in _JSON_FORMATS
    else:
        is_acceptable = accepts_json() or request.endpoint == "fhir.read"  # a Binary has a type of its own
    if not is_acceptable:
        raise NotAcceptable(f"answers are {FHIR_JSON}")


def accepts_json() -> bool:
    """Does the Accept header, if there is one, allow JSON?"""
    return not request.accept_mimetypes or bool(request.accept_mimetypes.best_match(_JSON_TYPES))


def read_body(edge: Edge) -> dict[str, Any]:
    """The JSON object in the body. Raises UnsupportedMediaType, RequestEntityTooLarge, Full, Invalid."""
    parameters = request.mimetype_params
    if request.mimetype not in _JSON_TYPES or parameters.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType(f"the body has to be {FHIR_JSON} in UTF-8")
    if parameters.get("fhirversion", "4.0") not in ("4.0", "4.0.1"):
        raise UnsupportedMediaType("the FHIR version here is 4.0")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("the body may not be compressed")
    edge.blobs.require_room(request.content_length or edge.max_body_bytes)
    body = read_json(read_bytes(edge.max_body_bytes))
    if not isinstance(body, dict):
        raise Invalid("the body is a JSON object")
    return body


def read_resource(edge: Edge, resource_type: str) -> dict[str, Any]:
    """The resource in the body, of the type that the URL names; a condition in the URL is refused, not ignored."""
    if set(request.args) - {"_format", "_pretty"}:
        raise Invalid("a condition is sent in the header If-None-Exist or If-Match, not in the URL")
    body = read_body(edge)
    if body.get("resourceType") != resource_type:
        raise Invalid("the resource is of another type than the URL says", at="resourceType")
    return body


def full_url(edge: Edge, resource: StoredResource) -> str:
    """The URL of its current version."""
    return f"{edge.fhir_url}/{resource.type}/{resource.id}"


def location(edge: Edge, resource: StoredResource) -> str:
    """The URL of exactly this version."""
    return f"{full_url(edge, resource)}/_history/{resource.version}"


def version_tag(resource: StoredResource) -> str:
    """Its ETag."""
    return f'W/"{resource.version}"'


def preference() -> str:
    """What `Prefer: return=` asks for; '' when it does not say."""
    match = _PREFERENCE.search(",".join(request.headers.getlist("Prefer")))
    return match[1] if match else ""


def resource_response(resource: StoredResource, body: bytes | dict[str, Any], status: int = 200) -> Response:
    """The resource as stored, byte for byte, or what is said of it; with ETag and Last-Modified."""
    return with_version(json_response(body, status), resource)


def with_version(response: Response, resource: StoredResource) -> Response:
    """The response, with the resource's ETag and Last-Modified."""
    response.headers["ETag"] = version_tag(resource)
    response.headers["Last-Modified"] = http_date(resource.stored_at)
    return response


def stored_outcome(resource: StoredResource) -> dict[str, Any]:
    """What `Prefer: return=OperationOutcome` gets."""
    sentence = f"{resource.type}/{resource.id} is stored as version {resource.version}"
    return operation_outcome(sentence, code="informational", severity="information")


def stored_response(edge: Edge, stored: Stored) -> Response:
    """The answer to a create or an update: 201 when something came into being, the body as preferred."""
    status = 201 if stored.outcome == "created" else 200
    wished = preference() or "representation"
    bodies: dict[str, bytes | dict[str, Any]] = {
        "representation": stored.text,
        "OperationOutcome": stored_outcome(stored.resource),
        "minimal": b"",
    }
    response = resource_response(stored.resource, bodies[wished], status)
    response.headers["Location"] = location(edge, stored.resource)
    return response


def json_response(body: bytes | dict[str, Any], status: int = 200) -> Response:
    """JSON of the kind that was asked for; no content type for no content."""
    text = body if isinstance(body, bytes) else write_json(body)
    wished = request.accept_mimetypes.best_match(_JSON_TYPES) or FHIR_JSON
    response = Response(text, status, content_type=f"{wished}; charset=utf-8")
    if not text:
        del response.headers["Content-Type"]
    return response
