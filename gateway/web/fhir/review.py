"""Read and search of what a reviewer may see of the assigned cases; whatever else is asked for goes its usual way.

A search parameter that is not in `fhir_mappings.reviewer_search` is refused, never ignored.
"""

import re
from collections.abc import Callable

from flask import Response, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotAcceptable

from fhir_mappings.bundle import searchset
from fhir_mappings.json_text import FHIR_JSON
from fhir_mappings.reviewer_search import SEARCHED_BY
from fhir_mappings.search_query import MOST_CLAUSES
from fhir_mappings.search_token import read_identifier_token
from gateway.domain.errors import Invalid
from gateway.services import review
from gateway.services.review_view import Viewed
from gateway.web.body import read_form
from gateway.web.edge import Edge
from gateway.web.fhir import read as own_read
from gateway.web.fhir import search as own_search
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import accepts_json, json_response
from gateway.web.fhir.search import MOST_FORM_BYTES, PAGING, PRESENTATION, links, read_paging

_BY_ORDER = ("basedon", "related")
_ORDER = "ServiceRequest/"
_ID = "_id"
_CURSOR = re.compile(r"[A-Z0-9]{12}|2\.25\.[0-9]{1,39}")
"""Pseudonyms of cases and studies, and UIDs: the ids by which a reviewer sees things."""


def read(edge: Edge, resource_type: str, resource_id: str) -> Response:
    """One resource of a case, without a version: a reviewer sees what there is now."""
    if not review.is_for(current_caller(), resource_type):
        return own_read.run(edge, resource_type, resource_id)
    if not (accepts_json() or "_format" in request.args):
        raise NotAcceptable(f"answers are {FHIR_JSON}")
    return json_response(review.read(edge.reading, current_caller(), resource_type, resource_id).text)


def search(edge: Edge, resource_type: str) -> Response:
    """By the parameters in the URL."""
    if not review.is_for(current_caller(), resource_type):
        return own_search.run(edge, resource_type)
    return _answer(edge, resource_type, request.args)


def search_by_form(edge: Edge, resource_type: str) -> Response:
    """By those in the form and in the URL."""
    if not review.is_for(current_caller(), resource_type):
        return own_search.run_by_form(edge, resource_type)
    form = read_form(MOST_FORM_BYTES)
    return _answer(edge, resource_type, MultiDict([*request.args.items(True), *form.items(True)]))


def _answer(edge: Edge, resource_type: str, given: MultiDict[str, str]) -> Response:
    asked = [(name, value) for name, value in given.items(True) if name not in (*PAGING, *PRESENTATION)]
    if len(asked) > MOST_CLAUSES:
        raise Invalid(f"a search has at most {MOST_CLAUSES} parameters")
    conditions = [_condition(edge, resource_type, name, value) for name, value in asked]
    chosen = [frozenset(value.split(",")) for name, value in asked if name == _ID]
    count, after = read_paging(given, _CURSOR)
    page = review.search(
        edge.reading,
        current_caller(),
        resource_type,
        lambda one: all(holds(one) for holds in conditions),
        ids=frozenset.intersection(*chosen) if chosen else None,
        count=count,
        after=after,
    )
    matches = [(f"{edge.fhir_url}/{one.name}", one.content) for one in page.disclosed]
    told = links(edge, resource_type, given, page.next_after)
    return json_response(searchset(matches, total=page.total, links=told))


def _condition(edge: Edge, resource_type: str, name: str, value: str) -> Callable[[Viewed], bool]:
    """Values parted by commas are a choice. The name is not repeated in the error: it may be a value gone astray."""
    wanted = frozenset(value.split(","))
    if name not in SEARCHED_BY[resource_type]:
        names = ", ".join(SEARCHED_BY[resource_type])
        raise Invalid(f"a search parameter is not supported; there are, without modifiers: {names}")
    if name in _BY_ORDER:
        orders = {one.removeprefix(f"{edge.fhir_url}/").removeprefix(_ORDER) for one in wanted}
        return lambda one: one.case.pseudonym in orders
    if name == _ID:
        return lambda one: one.id in wanted
    if name == "status":
        return lambda one: one.content["status"] in wanted
    identifier = read_identifier_token(value, at=name)
    return lambda one: identifier in one.identifiers
