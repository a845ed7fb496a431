"""The FHIR REST interactions of R4, one function each (https://hl7.org/fhir/R4/http.html)."""

from functools import partial

from flask import Blueprint, Response

from gateway.web.edge import Edge
from gateway.web.fhir import audit_events, create, decide, history, metadata, read, review, transaction, update
from gateway.web.fhir.authentication import authenticate_caller
from gateway.web.fhir.refusals import remember_refusal
from gateway.web.fhir.representation import check_acceptable

_PUBLIC = frozenset(("fhir.metadata",))


def blueprint(edge: Edge) -> Blueprint:
    """Everything below /fhir; only the CapabilityStatement is for everyone."""
    routes = Blueprint("fhir", __name__)
    routes.before_request(check_acceptable)
    routes.before_request(partial(authenticate_caller, edge, _PUBLIC))
    routes.after_request(partial(remember_refusal, edge))
    routes.after_request(_keep_private)
    add = routes.add_url_rule
    add("/metadata", "metadata", partial(metadata.show, edge), methods=["GET"])
    for path, name in (("", "transaction"), ("/", "transaction_slash")):
        add(path, name, partial(transaction.run, edge), methods=["POST"])
    of_audit = {"resource_type": "AuditEvent"}
    add("/AuditEvent/<event_id>", "audit_event", partial(audit_events.read, edge), methods=["GET"], defaults=of_audit)
    add("/AuditEvent", "audit_events", partial(audit_events.search, edge), methods=["GET"], defaults=of_audit)
    by_form = partial(audit_events.search_by_form, edge)
    add("/AuditEvent/_search", "audit_events_by_form", by_form, methods=["POST"], defaults=of_audit)
    of_consent = {"resource_type": "Consent"}
    add("/Consent/$decide", "decide", partial(decide.run, edge), methods=["POST"], defaults=of_consent)
    add("/<resource_type>", "create", partial(create.run, edge), methods=["POST"])
    add("/<resource_type>", "search", partial(review.search, edge), methods=["GET"])
    add("/<resource_type>/_search", "search_by_form", partial(review.search_by_form, edge), methods=["POST"])
    add("/<resource_type>/<resource_id>", "read", partial(review.read, edge), methods=["GET"])
    add("/<resource_type>/<resource_id>", "update", partial(update.run, edge), methods=["PUT"])
    add("/<resource_type>/<resource_id>/_history", "history", partial(history.run, edge), methods=["GET"])
    add("/<resource_type>/<resource_id>/_history/<version>", "vread", partial(read.run_version, edge), methods=["GET"])
    return routes


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
