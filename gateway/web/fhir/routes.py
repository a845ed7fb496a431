"""The FHIR REST interactions of R4, one function each (https://hl7.org/fhir/R4/http.html)."""

from functools import partial

from flask import Blueprint, Response

from gateway.web.edge import Edge
from gateway.web.fhir import create, metadata, read, search, transaction, update
from gateway.web.fhir.authentication import authenticate_caller
from gateway.web.fhir.representation import check_acceptable

_PUBLIC = frozenset(("fhir.metadata",))


def blueprint(edge: Edge) -> Blueprint:
    """Everything below /fhir; only the CapabilityStatement is for everyone."""
    routes = Blueprint("fhir", __name__)
    routes.before_request(check_acceptable)
    routes.before_request(partial(authenticate_caller, edge, _PUBLIC))
    routes.after_request(_keep_private)
    add = routes.add_url_rule
    add("/metadata", "metadata", partial(metadata.show, edge), methods=["GET"])
    for path, name in (("", "transaction"), ("/", "transaction_slash")):
        add(path, name, partial(transaction.run, edge), methods=["POST"])
    add("/<resource_type>", "create", partial(create.run, edge), methods=["POST"])
    add("/<resource_type>", "search", partial(search.run, edge), methods=["GET"])
    add("/<resource_type>/_search", "search_by_form", partial(search.run_by_form, edge), methods=["POST"])
    add("/<resource_type>/<resource_id>", "read", partial(read.run, edge), methods=["GET"])
    add("/<resource_type>/<resource_id>", "update", partial(update.run, edge), methods=["PUT"])
    add("/<resource_type>/<resource_id>/_history/<version>", "vread", partial(read.run_version, edge), methods=["GET"])
    return routes


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
