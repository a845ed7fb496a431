"""Bodies in and out: JSON only, as strict as it has to be, with the headers that FHIR wants.

https://hl7.org/fhir/R4/http.html#mime-type, #versioning, #ops (Prefer)
"""

import re
from typing import Any

from flask import Response, request
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType
from werkzeug.http import http_date

from fhir_mappings.json_text import read_json, write_json
from gateway.domain.errors import Invalid
from gateway.domain.resource import StoredResource
from gateway.services.resource_transaction import Stored
from gateway.web.edge import Edge
from gateway.web.errors import FHIR_JSON, outcome_response

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
        is_acceptable = not request.accept_mimetypes or bool(request.accept_mimetypes.best_match(_JSON_TYPES))
        is_acceptable = is_acceptable or request.endpoint == "fhir.read"  # a Binary has a type of its own
    if not is_acceptable:
        raise NotAcceptable(f"answers are {FHIR_JSON}")


def read_body(edge: Edge) -> dict[str, Any]:
    """The JSON object in the body. Raises UnsupportedMediaType, Full, Invalid; too long a body is a 413."""
    parameters = request.mimetype_params
    if request.mimetype not in _JSON_TYPES or parameters.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType(f"the body has to be {FHIR_JSON} in UTF-8")
    if parameters.get("fhirversion", "4.0") not in ("4.0", "4.0.1"):
        raise UnsupportedMediaType("the FHIR version here is 4.0")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("the body may not be compressed")
    edge.blobs.require_room(request.content_length or edge.max_body_bytes)
    body = read_json(request.get_data(cache=False))
    if not isinstance(body, dict):
        raise Invalid("the body is a JSON object")
    return body


def read_resource(edge: Edge, resource_type: str) -> dict[str, Any]:
    """The resource in the body, of the type that the URL names."""
    body = read_body(edge)
    if body.get("resourceType") != resource_type:
        raise Invalid("the resource is of another type than the URL says", at="resourceType")
    return body


def location(edge: Edge, resource: StoredResource) -> str:
    """The URL of exactly this version."""
    return f"{edge.fhir_url}/{resource.type}/{resource.id}/_history/{resource.version}"


def version_tag(resource: StoredResource) -> str:
    """Its ETag."""
    return f'W/"{resource.version}"'


def preference() -> str:
    """What `Prefer: return=` asks for; '' when it does not say."""
    match = _PREFERENCE.search(",".join(request.headers.getlist("Prefer")))
    return match[1] if match else ""


def resource_response(resource: StoredResource, text: bytes, status: int = 200) -> Response:
    """The resource as stored, byte for byte, with ETag and Last-Modified."""
    response = json_response(text, status)
    response.headers["ETag"] = version_tag(resource)
    response.headers["Last-Modified"] = http_date(resource.stored_at)
    return response


def stored_response(edge: Edge, stored: Stored) -> Response:
    """The answer to a create or an update: 201 when something came into being, the body as preferred."""
    status = 201 if stored.outcome == "created" else 200
    wished = preference() or "representation"
    if wished == "OperationOutcome":
        sentence = f"{stored.resource.type}/{stored.resource.id} is stored as version {stored.resource.version}"
        response = outcome_response(status, sentence, code="informational", severity="information")
    else:
        response = json_response(stored.text if wished == "representation" else b"", status)
    response.headers["ETag"] = version_tag(stored.resource)
    response.headers["Last-Modified"] = http_date(stored.resource.stored_at)
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
