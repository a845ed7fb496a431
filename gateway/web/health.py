"""Is the process alive, and is it able to work?"""

from functools import partial

from flask import Blueprint, Response, jsonify

from gateway.domain.errors import GatewayError
from gateway.store.readiness import database_problems
from gateway.web.edge import Edge


def blueprint(edge: Edge) -> Blueprint:
    """`/healthz` and `/readyz`."""
    routes = Blueprint("health", __name__)
    routes.add_url_rule("/healthz", "healthz", _alive)
    routes.add_url_rule("/readyz", "readyz", partial(_ready, edge))
    return routes


def _alive() -> Response:
    return jsonify(status="alive")


def _ready(edge: Edge) -> tuple[Response, int]:
    found = {"database": database_problems(edge.database), "storage": _storage_problems(edge)}
    problems = {name: sentences for name, sentences in found.items() if sentences}
    if problems:
        return jsonify(status="not ready", problems=problems), 503
    return jsonify(status="ready"), 200


def _storage_problems(edge: Edge) -> list[str]:
    try:
        edge.blobs.require_room(0)
    except GatewayError as failure:
        return [str(failure)]
    return []
