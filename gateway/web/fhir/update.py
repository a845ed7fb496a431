"""PUT /fhir/{type}/{id}: a new version of what is there; nothing is created under an id of the client's choice."""

from flask import Response, request

from fhir_mappings.bundle import Entry
from fhir_mappings.search_token import read_version_tag
from gateway.services.resource_rules import check_may_write
from gateway.services.resources import store
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import read_resource, stored_response


def run(edge: Edge, resource_type: str, resource_id: str) -> Response:
    """200 with the new version; 412 when If-Match names another one than the current."""
    check_may_write(current_caller().party.kind, resource_type)
    tag = request.headers.get("If-Match")
    version = None if tag is None else read_version_tag(tag, at="If-Match")
    resource = read_resource(edge, resource_type)
    entry = Entry("PUT", resource_type, resource, id=resource_id, if_match=version)
    (stored,) = store(edge.intake, current_caller(), [entry], own_base=edge.fhir_url)
    return stored_response(edge, stored)
