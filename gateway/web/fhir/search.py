"""GET /fhir/{type}?... and POST /fhir/{type}/_search: a searchset of the caller's own resources.

A parameter that is not understood is refused, never ignored: the answer would hold more than was asked for. The
POST form keeps names and identifiers out of URLs. For the same reason a search by them has no links: where there is
more than a page, the Bundle says how to ask for the next one.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, request
from werkzeug.datastructures import MultiDict

from fhir_mappings.bundle import searchset
from fhir_mappings.operation_outcome import operation_outcome
from fhir_mappings.search_parameters import SAYS_WHO
from fhir_mappings.search_query import Reading
from gateway.domain.errors import Invalid
from gateway.domain.ids import OWN_ID
from gateway.services import resource_reading
from gateway.services.resource_rules import check_is_known
from gateway.store.resource_search import Criteria, Page
from gateway.web.body import read_form
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import full_url, json_response

PAGE_SIZE = 50
LARGEST_PAGE = 200
MOST_FORM_BYTES = 64 * 1024
PAGING = ("_count", "_after")
PRESENTATION = ("_format", "_pretty")


def run(edge: Edge, resource_type: str) -> Response:
    """Search by the parameters in the URL."""
    return _answer(edge, resource_type, request.args)


def run_by_form(edge: Edge, resource_type: str) -> Response:
    """Search by the parameters in the form and in the URL."""
    form = read_form(MOST_FORM_BYTES)
    return _answer(edge, resource_type, MultiDict([*request.args.items(True), *form.items(True)]))


def _answer(edge: Edge, resource_type: str, given: MultiDict[str, str]) -> Response:
    check_is_known(resource_type)
    asked = [(name, value) for name, value in given.items(True) if name not in (*PAGING, *PRESENTATION)]
    reading = Reading(ZoneInfo(current_caller().party.time_zone), edge.fhir_url)
    criteria = Criteria(resource_type, reading.clauses(resource_type, asked))
    count, after = read_paging(given, OWN_ID)
    page = resource_reading.search(edge.database, current_caller(), criteria, count=count, after=after, now=edge.now())
    matches = [(full_url(edge, one), one.content) for one in page.resources]
    if not any(name.partition(":")[0] in SAYS_WHO for name, _ in asked):
        return json_response(
            searchset(matches, total=page.total, links=links(edge, resource_type, given, page.next_after))
        )
    return json_response(searchset(matches, total=page.total, links=(), outcome=_how_to_go_on(page)))


def read_paging(given: MultiDict[str, str], cursor: re.Pattern[str]) -> tuple[int, str]:
    """How many there shall be on a page, and the id after which it begins, which looks so. Raises Invalid."""
    if any(len(given.getlist(name)) > 1 for name in (*PAGING, *PRESENTATION)):
        raise Invalid("a search parameter is there twice; only a date may be")
    count, after = given.get("_count", str(PAGE_SIZE)), given.get("_after", "")
    if not count.isascii() or not count.isdigit():
        raise Invalid("_count is a number", at="_count")
    if after and not cursor.fullmatch(after):
        raise Invalid("_after is the one of a next link; begin with the first page, without it", at="_after")
    return min(int(count[:9]), LARGEST_PAGE), after


def links(edge: Edge, resource_type: str, given: MultiDict[str, str], next_after: str) -> Sequence[tuple[str, str]]:
    """Where this page is, and the next one, which begins after that id; '' on the last one."""
    address, asked = f"{edge.fhir_url}/{resource_type}", list(given.items(True))
    found = [("self", f"{address}?{urlencode(asked)}" if asked else address)]
    if next_after:
        again = [(name, value) for name, value in asked if name != "_after"]
        found.append(("next", f"{address}?{urlencode([*again, ('_after', next_after)])}"))
    return found


def _how_to_go_on(page: Page) -> dict[str, object] | None:
    if not page.next_after:
        return None
    sentence = f"there are more matches; ask the same again with _after={page.next_after}"
    return operation_outcome(sentence, code="informational", severity="information")
