"""Is the process alive, and is it able to work?"""

from collections.abc import Callable
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
    problems = {"database": found} if (found := database_problems(edge.database)) else {}
    checks: dict[str, Callable[[], None]] = {"storage": partial(edge.blobs.require_room, 0), **edge.checks}
    for name, check in checks.items():
        try:
            check()
        except GatewayError as failure:
            problems[name] = [str(failure)]
    if problems:
        return jsonify(status="not ready", problems=problems), 503
    return jsonify(status="ready"), 200
