"""GET /fhir/AuditEvent/{id}, /fhir/AuditEvent?... and POST /fhir/AuditEvent/_search: who did what with own patients.

They are written by the gateway alone, and have no versions. https://hl7.org/fhir/R4/auditevent.html
"""

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, request
from werkzeug.datastructures import MultiDict

from fhir_mappings.audit_event import Site
from fhir_mappings.search_query import Reading
from gateway.domain.errors import Invalid
from gateway.services import audit_events
from gateway.services.audit_events import TYPE, Events
from gateway.web.body import read_form
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import json_response
from gateway.web.fhir.search import MOST_FORM_BYTES, PAGING, PRESENTATION, read_paging


def read(edge: Edge, event_id: str, resource_type: str) -> Response:  # noqa: ARG001 - the route names it
    """One of them; `resource_type` is theirs."""
    site = Site(edge.fhir_url)
    found = audit_events.read(edge.database, current_caller(), event_id, site=site, now=edge.now())
    return json_response(found)


def search(edge: Edge, resource_type: str) -> Response:
    """A searchset of them, newest first, without a total: that would take reading all of them."""
    return _answer(edge, resource_type, request.args)


def search_by_form(edge: Edge, resource_type: str) -> Response:
    """The same by the parameters in the form and in the URL."""
    form = read_form(MOST_FORM_BYTES)
    return _answer(edge, resource_type, MultiDict([*request.args.items(True), *form.items(True)]))


def _answer(edge: Edge, resource_type: str, given: MultiDict[str, str]) -> Response:
    caller, count, before = current_caller(), *_paging(given)
    asked = [(name, value) for name, value in given.items(True) if name not in (*PAGING, *PRESENTATION)]
    clauses = Reading(ZoneInfo(caller.party.time_zone), edge.fhir_url).clauses(resource_type, asked)
    site = Site(edge.fhir_url)
    page = audit_events.search(edge.database, caller, clauses, count=count, before=before, site=site, now=edge.now())
    return json_response(_bundle(edge, asked, count, page))


def _paging(given: MultiDict[str, str]) -> tuple[int, int]:
    count, after = read_paging(given)
    if not after.isdigit() and after:
        raise Invalid("_after is the one of a next link", at="_after")
    return count, int(after or 0)


def _bundle(edge: Edge, asked: list[tuple[str, str]], count: int, page: Events) -> dict[str, object]:
    address = f"{edge.fhir_url}/{TYPE}"
    bundle: dict[str, object] = {"resourceType": "Bundle", "type": "searchset"}
    links = [{"relation": "self", "url": f"{address}?{urlencode([*asked, ('_count', str(count))])}"}]
    if page.next_before:
        again = [*asked, ("_count", str(count)), ("_after", str(page.next_before))]
        links.append({"relation": "next", "url": f"{address}?{urlencode(again)}"})
    bundle["link"] = links
    entries = [
        {"fullUrl": f"{address}/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in page.events
    ]
    return bundle | ({"entry": entries} if entries else {})
