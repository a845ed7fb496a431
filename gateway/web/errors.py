"""The one table from errors to HTTP, and the OperationOutcome that every failed request gets."""

import traceback
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import structlog
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from fhir_mappings.json_text import FHIR_JSON, write_json
from fhir_mappings.operation_outcome import operation_outcome
from gateway.domain.errors import (
    Conflict,
    Forbidden,
    Full,
    GatewayError,
    Gone,
    Invalid,
    NotFound,
    Throttled,
    Transient,
    Unauthenticated,
    Unprocessable,
)
from gateway.domain.scopes import ScopeMissing
from gateway.services.resource_transaction import PreconditionFailed

RETRY_AFTER_S = 5
"""When to come back after a failure that passes, unless the failure says."""

TABLE: tuple[tuple[type[GatewayError], HTTPStatus, str], ...] = (
    (Unprocessable, HTTPStatus.UNPROCESSABLE_ENTITY, "business-rule"),
    (Invalid, HTTPStatus.BAD_REQUEST, "invalid"),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED, "login"),
    (Forbidden, HTTPStatus.FORBIDDEN, "forbidden"),
    (Gone, HTTPStatus.GONE, "deleted"),
    (NotFound, HTTPStatus.NOT_FOUND, "not-found"),
    (PreconditionFailed, HTTPStatus.PRECONDITION_FAILED, "conflict"),
    (Conflict, HTTPStatus.CONFLICT, "conflict"),
    (Full, HTTPStatus.INSUFFICIENT_STORAGE, "no-store"),
    (Throttled, HTTPStatus.TOO_MANY_REQUESTS, "throttled"),
    (Transient, HTTPStatus.SERVICE_UNAVAILABLE, "transient"),
)
"""Class (the first that fits), HTTP status, code of https://hl7.org/fhir/R4/valueset-issue-type.html."""

_HTTP_CODES = {404: "not-found", 413: "too-long"}
_SENTENCES = {
    404: "nothing is at this address; FHIR is below /fhir, and a token is to be had at /oauth/token",
    405: "this address does not take that method; the header Allow names those that it takes",
}
"""Where no route of ours was reached: what we say instead of the framework."""
_CHALLENGE = 'Bearer realm="consilium"'
_FRAMES_SHOWN = 12

_log = structlog.get_logger("gateway.web")


def register(application: Flask) -> None:
    """Answer every error of the application with an OperationOutcome."""
    application.register_error_handler(GatewayError, _refused)
    application.register_error_handler(HTTPException, _not_served)
    application.register_error_handler(Exception, _unexpected)


def _outcome_response(status: int, diagnostics: str, *, code: str, at: str = "") -> Response:
    body = write_json(operation_outcome(diagnostics, code=code, at=at))
    return Response(body, status, content_type=f"{FHIR_JSON}; charset=utf-8")


def _refused(error: GatewayError) -> Response:
    found = next(((status, code) for kind, status, code in TABLE if isinstance(error, kind)), None)
    if found is None:
        return _unexpected(error)
    status, code = found
    g.refused_at = getattr(error, "at", "")
    response = _outcome_response(status, str(error), code=code, at=getattr(error, "at", ""))
    if isinstance(error, Unauthenticated):
        token_state = ', error="invalid_token"' if g.get("has_credentials") else ""  # RFC 6750 3
        response.headers["WWW-Authenticate"] = _CHALLENGE + token_state
    if isinstance(error, ScopeMissing):
        response.headers["WWW-Authenticate"] = f'{_CHALLENGE}, error="insufficient_scope", scope="{error.scope}"'
    if isinstance(error, Transient):
        wait_s = error.retry_after_s if error.retry_after_s is not None else RETRY_AFTER_S
        response.headers["Retry-After"] = str(max(1, round(wait_s)))
    return response


def _not_served(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected(error)
    code = _HTTP_CODES.get(status, "not-supported")
    sentence = _SENTENCES.get(status) or error.description or HTTPStatus(status).phrase
    response = _outcome_response(status, sentence, code=code)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def note_unexpected(error: Exception) -> str:
    """Log it, and say nothing of the cause but an id.

    The log has its classes and places, never its text (it may quote data).
    """
    request_id = g.get("request_id", "")
    _log.error("request failed", request_id=request_id, causes=list(_causes(error)), places=_places(error))
    return f"the gateway failed; its log has this as request {request_id}"


def _unexpected(error: Exception) -> Response:
    return _outcome_response(HTTPStatus.INTERNAL_SERVER_ERROR, note_unexpected(error), code="exception")


def _causes(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{type(error).__module__}.{type(error).__qualname__}"
        error = error.__cause__ or error.__context__


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_SHOWN:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
