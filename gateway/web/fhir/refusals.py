"""What a FHIR request was refused, for the audit trail."""

from http import HTTPStatus

from flask import Response, g, request

from fhir_mappings.known_path import known_path
from gateway.domain.caller import Caller
from gateway.services.denials import Denial, of_caller, of_write
from gateway.web.denied import remember
from gateway.web.edge import Edge

_WRITES = {"fhir.create": "create", "fhir.update": "update"} | dict.fromkeys(
    ("fhir.transaction", "fhir.transaction_slash"), "transaction"
)
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
    if caller is None:
        return None
    asked = request.view_args or {}
    if reason is None:
        return _of_write(caller, response, asked.get("resource_type", ""))
    resource_id = str(asked.get("resource_id") or asked.get("event_id") or "")
    return of_caller(caller, reason=reason, resource_type=asked.get("resource_type", ""), resource_id=resource_id)


def _of_write(caller: Caller, response: Response, resource_type: str) -> Denial | None:
    """What was to be stored and was not taken, whatever was wrong with it."""
    interaction = _WRITES.get(request.endpoint or "")
    is_refused = HTTPStatus.BAD_REQUEST <= response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    if interaction is None or not is_refused:
        return None
    at, status = known_path(g.get("refused_at", "")), response.status_code
    return of_write(caller, interaction=interaction, status=status, resource_type=resource_type, at=at)
