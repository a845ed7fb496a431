"""GET /fhir/metadata: the CapabilityStatement, for everyone."""

from flask import Response

from fhir_mappings.capability_statement import capability_statement
from gateway.services.resource_rules import READABLE, WRITABLE
from gateway.web.edge import Edge
from gateway.web.fhir.representation import json_response


def show(edge: Edge) -> Response:
    """What this instance can do, by the address under which it was asked."""
    statement = capability_statement(
        base_url=edge.fhir_url,
        token_url=f"{edge.root_url}/oauth/token",
        version=edge.version,
        date=edge.started_on,
        readable=READABLE,
        writable=frozenset().union(*WRITABLE.values()),
    )
    return json_response(statement)
