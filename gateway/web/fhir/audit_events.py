"""GET /fhir/AuditEvent/{id}, /fhir/AuditEvent?... and POST /fhir/AuditEvent/_search: who did what with own patients.

They are written by the gateway alone, and have no versions. https://hl7.org/fhir/R4/auditevent.html
"""

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, request
from werkzeug.datastructures import MultiDict

from fhir_mappings.audit_event import Site
from fhir_mappings.search_query import Reading
from gateway.services import audit_events
from gateway.services.audit_events import TYPE, Events, Naming
from gateway.services.event_ids import EVENT_ID, EventIds
from gateway.web.body import read_form
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import json_response
from gateway.web.fhir.search import MOST_FORM_BYTES, PAGING, PRESENTATION, read_paging


def read(edge: Edge, event_id: str, resource_type: str) -> Response:  # noqa: ARG001 - the route names it
    """One of them; `resource_type` is theirs."""
    found = audit_events.read(edge.database, current_caller(), event_id, naming=_naming(edge), now=edge.now())
    return json_response(found)


def search(edge: Edge, resource_type: str) -> Response:
    """A searchset of them, newest first, without a total: that would take reading all of them."""
    return _answer(edge, resource_type, request.args)


def search_by_form(edge: Edge, resource_type: str) -> Response:
    """The same by the parameters in the form and in the URL."""
    form = read_form(MOST_FORM_BYTES)
    return _answer(edge, resource_type, MultiDict([*request.args.items(True), *form.items(True)]))


def _answer(edge: Edge, resource_type: str, given: MultiDict[str, str]) -> Response:
    caller, count, after = current_caller(), *read_paging(given, EVENT_ID)
    asked = [(name, value) for name, value in given.items(True) if name not in (*PAGING, *PRESENTATION)]
    clauses = Reading(ZoneInfo(caller.party.time_zone), edge.fhir_url).clauses(resource_type, asked)
    naming, now = _naming(edge), edge.now()
    page = audit_events.search(edge.database, caller, clauses, count=count, after=after, naming=naming, now=now)
    return json_response(_bundle(edge, asked, count, page))


def _naming(edge: Edge) -> Naming:
    return Naming(Site(edge.fhir_url), EventIds(edge.pseudonym_key))


def _bundle(edge: Edge, asked: list[tuple[str, str]], count: int, page: Events) -> dict[str, object]:
    address = f"{edge.fhir_url}/{TYPE}"
    bundle: dict[str, object] = {"resourceType": "Bundle", "type": "searchset"}
    links = [{"relation": "self", "url": f"{address}?{urlencode([*asked, ('_count', str(count))])}"}]
    if page.next_before:
        again = [*asked, ("_count", str(count)), ("_after", page.next_before)]
        links.append({"relation": "next", "url": f"{address}?{urlencode(again)}"})
    bundle["link"] = links
    entries = [
        {"fullUrl": f"{address}/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in page.events
    ]
    return bundle | ({"entry": entries} if entries else {})
