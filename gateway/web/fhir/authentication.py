"""Bearer tokens and scopes: every FHIR request but the public ones is somebody's, who may do just that.

`LETTERS` is the one place that says which scope an interaction takes; one that is not in it is refused.
Bearers: RFC 6750 2.1. Letters: https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from types import MappingProxyType

from flask import g, request

from fhir_mappings.bundle import Entry
from gateway.domain.caller import Caller
from gateway.domain.errors import Forbidden, Unauthenticated
from gateway.domain.scopes import ScopeMissing
from gateway.services.denials import Denial, of_caller
from gateway.services.resource_rules import check_is_known
from gateway.services.tokens import NotHolder, authenticate
from gateway.web.edge import Edge
from gateway.web.peer import caller_address, caller_certificate

LETTERS = MappingProxyType(
    {
        "fhir.read": "r",
        "fhir.vread": "r",
        "fhir.history": "r",
        "fhir.audit_event": "r",
        "fhir.audit_events": "s",
        "fhir.audit_events_by_form": "s",
        "fhir.decide": "rs",  # it finds the consents of a case and says what is in them
        "fhir.create": "c",
        "fhir.update": "u",
        "fhir.search": "s",
        "fhir.search_by_form": "s",
        "fhir.transaction": "",  # by its entries, once they are read
        "fhir.transaction_slash": "",
    }
)
"""Endpoint -> what it takes for the type in its address."""

_OF_ENTRY = {"POST": "c", "PUT": "u"}
_CONDITION = "s"
"""What a conditional create takes beside `c`: its condition is a search, and what it finds is answered."""


def authenticate_caller(edge: Edge, public: Collection[str]) -> None:
    """Remember who calls, and see that the token was given for this. Raises Unauthenticated, Forbidden, Throttled."""
    if request.endpoint in public:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        g.denial = Denial("fhir.denied", "no token", caller_address(edge))
        raise Unauthenticated("a bearer token is needed; fetch one at the token endpoint")
    g.has_credentials = True
    g.caller = _holder(edge, token.strip())
    g.client_id = g.caller.client_id
    edge.admission.rates.count_request(g.caller.client_id)
    _require_for_route()


def current_caller() -> Caller:
    """Who makes the current request."""
    caller: Caller = g.caller
    return caller


def require_for_entries(entries: Iterable[Entry]) -> None:
    """See that the token was given for every entry of a transaction. Raises Forbidden, which names what is missing."""
    for entry in entries:
        condition = _CONDITION if entry.if_none_exist is not None else ""
        _require(entry.type, _OF_ENTRY[entry.method] + condition)


def _require_for_route() -> None:
    if request.endpoint is None:
        return
    letters = LETTERS.get(request.endpoint)
    if letters is None:
        raise Forbidden("no scope is known that would permit this interaction")
    if request.method == "POST" and letters == "c" and "If-None-Exist" in request.headers:
        letters += _CONDITION
    _require((request.view_args or {}).get("resource_type", ""), letters)


def _require(resource_type: str, letters: str) -> None:
    if not letters:
        return
    check_is_known(resource_type)  # what is none is not repeated
    caller = current_caller()
    try:
        caller.scopes.require(resource_type, letters)
    except ScopeMissing as missing:
        g.denial = of_caller(caller, reason=missing.scope, resource_type=resource_type)
        raise


def _holder(edge: Edge, token: str) -> Caller:
    """Whose token it is. A 401 is never held back by a limit: it is what tells the client to fetch another."""
    certificate, address = caller_certificate(edge), caller_address(edge)
    try:
        found = authenticate(edge.database, token, certificate=certificate, now=edge.now())
    except NotHolder as refusal:
        g.denial = Denial("fhir.denied", "certificate", address, refusal.client_id)
        raise
    except Unauthenticated:
        g.denial = Denial("fhir.denied", "token", address)
        raise
    return replace(found, address=address)
