"""One structured line a request: ids, route and time, never a path's query, a header or a body."""

import time

import structlog
from flask import Flask, Response, g, request

from gateway.domain import trace
from gateway.domain.ids import new_id

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_log = structlog.get_logger("gateway.web")


def register(application: Flask) -> None:
    """Give each request an id, sent back as X-Request-Id, and log it once it is answered."""
    application.before_request(_begin)
    application.after_request(_end)


def _begin() -> None:
    g.request_id = new_id()  # never the caller's: what it sends could say anything
    g.began_at_s = time.perf_counter()


def _end(response: Response) -> Response:
    began_at_s = g.get("began_at_s", time.perf_counter())
    response.headers["X-Request-Id"] = g.get("request_id", "")
    response.headers["X-Content-Type-Options"] = "nosniff"
    said = {
        "request_id": g.get("request_id", ""),
        "method": request.method if request.method in _METHODS else "other",
        "route": request.url_rule.rule if request.url_rule else "unmatched",
        "status": response.status_code,
    }
    trace.note(**said)
    _log.info(
        "request",
        **said,
        duration_ms=round((time.perf_counter() - began_at_s) * 1000, 1),
        client_id=g.get("client_id", ""),
    )
    return response
