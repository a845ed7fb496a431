"""GET /fhir/{type}/{id} and /fhir/{type}/{id}/_history/{version}: read and vread."""

import base64

from flask import Response, request
from werkzeug.exceptions import NotAcceptable

from fhir_mappings.json_text import FHIR_JSON
from gateway.domain.errors import NotFound
from gateway.domain.resource import StoredResource
from gateway.services import resource_reading
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import accepts_json, resource_response, with_version

_LONGEST_VERSION = 9


def run(edge: Edge, resource_type: str, resource_id: str) -> Response:
    """The current version; a Binary as its own bytes when only its own type is accepted."""
    is_json = accepts_json() or "_format" in request.args
    if not is_json and resource_type != "Binary":
        raise NotAcceptable(f"answers are {FHIR_JSON}")
    found, text = resource_reading.read(edge.database, current_caller(), resource_type, resource_id, now=edge.now())
    return resource_response(found, text) if is_json else _bytes_of(found)


def run_version(edge: Edge, resource_type: str, resource_id: str, version: str) -> Response:
    """That version, also when it was replaced since."""
    if not version.isascii() or not version.isdigit() or len(version) > _LONGEST_VERSION:
        raise NotFound("no such version")
    caller, number = current_caller(), int(version)
    found, text = resource_reading.read(
        edge.database, caller, resource_type, resource_id, now=edge.now(), version=number
    )
    return resource_response(found, text)


def _bytes_of(binary: StoredResource) -> Response:
    """https://hl7.org/fhir/R4/binary.html#rest; never shown by a browser in the gateway's name."""
    content_type = str(binary.content["contentType"])
    if not request.accept_mimetypes.best_match([content_type]):
        raise NotAcceptable(f"answers are {FHIR_JSON}, or the Binary's own type")
    response = Response(base64.b64decode(binary.content.get("data", "")), content_type=content_type)
    response.headers["Content-Disposition"] = "attachment"
    return with_version(response, binary)
