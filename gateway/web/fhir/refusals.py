"""What a FHIR request was refused, for the audit trail."""

from http import HTTPStatus

from flask import Response, g, request

from gateway.domain.caller import Caller
from gateway.services.denials import Denial, of_caller
from gateway.web.denied import remember
from gateway.web.edge import Edge

_REASONS = {HTTPStatus.FORBIDDEN: "forbidden", HTTPStatus.NOT_FOUND: "not-found", HTTPStatus.GONE: "gone"}


def remember_refusal(edge: Edge, response: Response) -> Response:
    """The response as it is."""
    denial: Denial | None = g.get("denial") or _told_by(response)
    if denial is not None:
        remember(edge, denial)
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
