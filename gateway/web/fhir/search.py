"""GET /fhir/{type}?... and POST /fhir/{type}/_search: a searchset of the caller's own resources.

A parameter that is not understood is refused, never ignored: the answer would hold more than was asked for. The
POST form keeps identifiers out of URLs. A `self` link is left out for a search by identifier, for the same reason.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Response, request
from werkzeug.datastructures import MultiDict

from fhir_mappings.bundle import searchset
from fhir_mappings.capability_statement import SEARCH_PARAMETERS
from fhir_mappings.literal_references import local_target
from fhir_mappings.primitives import ID
from fhir_mappings.search_token import read_identifier_token
from gateway.domain.errors import Invalid
from gateway.services import resource_reading
from gateway.services.resource_rules import check_is_known
from gateway.store.resource_search import Criteria, Page
from gateway.web.body import read_form
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import full_url, json_response

PAGE_SIZE = 50
LARGEST_PAGE = 200
_MOST_FORM_BYTES = 64 * 1024
_PAGING = ("_count", "_after")
_PRESENTATION = ("_format", "_pretty")


def run(edge: Edge, resource_type: str) -> Response:
    """Search by the parameters in the URL."""
    return _answer(edge, resource_type, request.args)


def run_by_form(edge: Edge, resource_type: str) -> Response:
    """Search by the parameters in the form and in the URL."""
    form = read_form(_MOST_FORM_BYTES)
    return _answer(edge, resource_type, MultiDict([*request.args.items(True), *form.items(True)]))


def _answer(edge: Edge, resource_type: str, given: MultiDict[str, str]) -> Response:
    check_is_known(resource_type)
    parameters = _single(resource_type, given)
    criteria = _criteria(edge, resource_type, parameters)
    count = _count(parameters.get("_count", str(PAGE_SIZE)))
    after = parameters.get("_after", "")
    if after and not ID.fullmatch(after):
        raise Invalid("_after is the one of a next link", at="_after")
    page = resource_reading.search(edge.database, current_caller(), criteria, count=count, after=after, now=edge.now())
    matches = [(full_url(edge, one), one.content) for one in page.resources]
    return json_response(searchset(matches, total=page.total, links=_links(edge, resource_type, parameters, page)))


def _single(resource_type: str, given: MultiDict[str, str]) -> dict[str, str]:
    """Each parameter at most once and known. Its name is not repeated in the error: it may be a value gone astray."""
    known = (*SEARCH_PARAMETERS[resource_type], *_PAGING, *_PRESENTATION)
    if any(name not in known for name in given):
        names = ", ".join((*SEARCH_PARAMETERS[resource_type], "_count"))
        raise Invalid(f"a search parameter is not supported; there are, without modifiers: {names}")
    if any(len(values) > 1 for _, values in given.lists()):
        raise Invalid("a search parameter is there twice")
    return given.to_dict()


def _criteria(edge: Edge, resource_type: str, parameters: Mapping[str, str]) -> Criteria:
    token = parameters.get("identifier")
    identifier = None if token is None else read_identifier_token(token, at="identifier")
    ids = tuple(parameters["_id"].split(",")) if "_id" in parameters else ()
    if not all(ID.fullmatch(one) for one in ids):
        raise Invalid("_id is a logical id, or several parted by commas", at="_id")
    names = [name for name in ("patient", "subject") if name in parameters]
    references = tuple((name, _target_id(edge, name, parameters[name])) for name in names)
    return Criteria(resource_type, identifier, ids, references)


def _target_id(edge: Edge, name: str, value: str) -> str:
    relative = value.removeprefix(f"{edge.fhir_url}/")
    target = local_target(relative)
    if target is not None and target.type == "Patient" and not target.version:
        return target.id
    if ID.fullmatch(relative):
        return relative
    raise Invalid("a reference is searched as Patient/id or id", at=name)


def _count(value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise Invalid("_count is a number", at="_count")
    return min(int(value[:9]), LARGEST_PAGE)


def _links(edge: Edge, resource_type: str, parameters: Mapping[str, str], page: Page) -> list[tuple[str, str]]:
    """An identifier matches one resource at most, so that a search by it has no next page."""
    if "identifier" in parameters:
        return []
    address = f"{edge.fhir_url}/{resource_type}"
    links = [("self", f"{address}?{urlencode(parameters)}" if parameters else address)]
    if page.next_after:
        links.append(("next", f"{address}?{urlencode({**parameters, '_after': page.next_after})}"))
    return links
