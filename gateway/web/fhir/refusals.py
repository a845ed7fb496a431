"""What a known client was refused is remembered, as often as its rate allows."""

from http import HTTPStatus

import structlog
from flask import Response, g, request

from gateway.domain.caller import Caller
from gateway.domain.errors import GatewayError
from gateway.services.refusing import record_refusal
from gateway.web.edge import Edge

_REASONS = {HTTPStatus.FORBIDDEN: "forbidden", HTTPStatus.NOT_FOUND: "not-found", HTTPStatus.GONE: "gone"}
_log = structlog.get_logger("gateway.web")


def remember_refusal(edge: Edge, response: Response) -> Response:
    """The response as it is. A refusal that cannot be recorded stays one: nothing was shown."""
    caller: Caller | None = g.get("caller")
    reason = _REASONS.get(HTTPStatus(response.status_code))
    if caller is None or reason is None or g.get("is_denial_recorded"):
        return response
    if edge.admission.rates.is_recorded(caller.client_id):
        asked = request.view_args or {}
        of = {"resource_type": asked.get("resource_type", ""), "resource_id": _asked_id(asked)}
        try:
            record_refusal(edge.database, caller, reason=reason, **of, now=edge.now())
        except GatewayError as exc:
            _log.warning("refusal unrecorded", reason=type(exc).__name__)
    return response


def _asked_id(asked: dict[str, str]) -> str:
    return str(asked.get("resource_id") or asked.get("event_id") or "")
