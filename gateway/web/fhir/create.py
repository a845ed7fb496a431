"""POST /fhir/{type}: create, plain or on the condition that nobody has the identifier yet (If-None-Exist)."""

from flask import Response, request

from fhir_mappings.bundle import Entry
from fhir_mappings.search_token import read_identifier_query
from gateway.services.resource_rules import check_may_write
from gateway.services.resources import store
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import read_resource, stored_response


def run(edge: Edge, resource_type: str) -> Response:
    """201 with the new resource, or 200 with the one that a conditional create found."""
    check_may_write(current_caller().party.kind, resource_type)
    condition = request.headers.get("If-None-Exist")
    identifier = None if condition is None else read_identifier_query(condition, at="If-None-Exist")
    entry = Entry("POST", resource_type, read_resource(edge, resource_type), if_none_exist=identifier)
    (stored,) = store(edge.intake, current_caller(), [entry], own_base=edge.fhir_url)
    return stored_response(edge, stored)
