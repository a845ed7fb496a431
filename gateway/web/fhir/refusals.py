"""Whoever was refused something is remembered, as often as their rate allows."""

from http import HTTPStatus

import structlog
from flask import Response, g, request

from gateway.domain.caller import Caller
from gateway.domain.errors import GatewayError
from gateway.services.denials import Denial, of_caller, record_denial
from gateway.web.edge import Edge

_REASONS = {HTTPStatus.FORBIDDEN: "forbidden", HTTPStatus.NOT_FOUND: "not-found", HTTPStatus.GONE: "gone"}
_log = structlog.get_logger("gateway.web")


def remember_refusal(edge: Edge, response: Response) -> Response:
    """The response as it is. A refusal that cannot be recorded stays one: nothing was shown."""
    denial: Denial | None = g.get("denial") or _told_by(response)
    if denial is not None and edge.admission.rates.is_recorded(denial.counted_as):
        try:
            record_denial(edge.database, denial, now=edge.now())
        except GatewayError as exc:
            _log.warning("refusal unrecorded", reason=type(exc).__name__)
    return response


def _told_by(response: Response) -> Denial | None:
    """What the status of an answer to a known client says, where nobody has said more (`g.denial`)."""
    caller: Caller | None = g.get("caller")
    reason = _REASONS.get(HTTPStatus(response.status_code))
    if caller is None or reason is None:
        return None
    asked = request.view_args or {}
    resource_id = str(asked.get("resource_id") or asked.get("event_id") or "")
    return of_caller(caller, reason=reason, resource_type=asked.get("resource_type", ""), resource_id=resource_id)
