"""POST /fhir: a transaction Bundle, all or nothing (https://hl7.org/fhir/R4/http.html#transaction)."""

from typing import Any

from flask import Response

from fhir_mappings.bundle import read_transaction, transaction_response
from gateway.services.resource_transaction import Stored
from gateway.services.resources import store
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller, require_for_entries
from gateway.web.fhir.representation import (
    full_url,
    json_response,
    location,
    preference,
    read_body,
    stored_outcome,
    version_tag,
)

_STATUS = {"created": "201 Created", "updated": "200 OK", "found": "200 OK"}


def run(edge: Edge) -> Response:
    """200 with a transaction-response; its entries carry the resources when `Prefer: return=representation`."""
    entries = read_transaction(read_body(edge))
    require_for_entries(entries)
    became = store(edge.intake, current_caller(), entries, own_base=edge.fhir_url)
    wished = preference()
    return json_response(transaction_response(_entry(edge, stored, wished) for stored in became))


def _entry(edge: Edge, stored: Stored, wished: str) -> dict[str, Any]:
    resource = stored.resource
    response: dict[str, Any] = {
        "status": _STATUS[stored.outcome],
        "location": location(edge, resource),
        "etag": version_tag(resource),
        "lastModified": resource.content["meta"]["lastUpdated"],
    }
    if wished == "OperationOutcome":
        response["outcome"] = stored_outcome(resource)
    shown = {"resource": resource.content} if wished == "representation" else {}
    return {"fullUrl": full_url(edge, resource), **shown, "response": response}
