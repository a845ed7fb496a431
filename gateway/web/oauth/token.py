"""POST /oauth/token: client credentials in, a bearer token out (RFC 6749 4.4, 5.1, 5.2)."""

from collections.abc import Mapping
from http import HTTPStatus

from flask import Response, g, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from fhir_mappings.resource_types import RESOURCE_TYPES_OF_R4
from gateway.domain.errors import Invalid, Throttled, Transient, Unauthenticated
from gateway.domain.scopes import read_scopes
from gateway.services.client_proof import NotProven, prove
from gateway.services.denials import Denial
from gateway.services.tokens import IssuedToken, issue_token
from gateway.web.body import read_form
from gateway.web.denied import remember
from gateway.web.edge import Edge
from gateway.web.oauth.credentials import RefusalError, read_credentials
from gateway.web.peer import caller_address, caller_certificate

_MOST_BODY_BYTES = 16 * 1024
_STATUS = {
    "invalid_client": HTTPStatus.UNAUTHORIZED,
    "slow_down": HTTPStatus.TOO_MANY_REQUESTS,
    "temporarily_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The others are 400. `slow_down` is RFC 8628's, `temporarily_unavailable` that of RFC 6749 4.1.2.1."""


def issue(edge: Edge) -> Response:
    """Answer a token request."""
    try:
        form = _form()
        _check_grant(form)
        return _answer(_issued(edge, form))
    except RefusalError as refusal:
        return _refusal(refusal.error, str(refusal))
    except Invalid as refusal:
        return _refusal("invalid_scope" if refusal.at == "scope" else "invalid_request", str(refusal))
    except RequestEntityTooLarge as refusal:
        return _refusal("invalid_request", refusal.description or "the body is too large")
    except Transient as refusal:
        error = "slow_down" if isinstance(refusal, Throttled) else "temporarily_unavailable"
        return _refusal(error, str(refusal), wait_s=refusal.retry_after_s)


def _issued(edge: Edge, form: Mapping[str, str]) -> IssuedToken:
    wished = read_scopes(form.get("scope", ""), of_types=RESOURCE_TYPES_OF_R4)
    certificate = caller_certificate(edge)
    shown = read_credentials(edge, form, certificate)
    now, fetch = edge.now(), edge.admission.fetch_keys
    try:
        proven = prove(edge.database, shown, certificate=certificate, fetch=fetch, now=now)
        edge.admission.rates.count_token(proven.client.id)
        g.client_id = proven.client.id
        return issue_token(edge.database, proven, now=now, wished=wished, lifetime_s=edge.token_lifetime_s)
    except Unauthenticated as refusal:
        _count_denial(edge, refusal)
        raise RefusalError("invalid_client", str(refusal)) from refusal


def _form() -> dict[str, str]:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise RefusalError("invalid_request", "the body is application/x-www-form-urlencoded")
    form = read_form(_MOST_BODY_BYTES)
    if any(len(values) > 1 for _, values in form.lists()):
        raise RefusalError("invalid_request", "a parameter is there twice")
    return form.to_dict()


def _check_grant(form: Mapping[str, str]) -> None:
    if "grant_type" not in form:
        raise RefusalError("invalid_request", "grant_type is missing")
    if form["grant_type"] != "client_credentials":
        raise RefusalError("unsupported_grant_type", "only client_credentials is supported")


def _answer(issued: IssuedToken) -> Response:
    answer = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.lifetime_s}
    return _uncached(jsonify({**answer, "scope": str(issued.scopes)}))


def _count_denial(edge: Edge, refusal: Unauthenticated) -> None:
    """Counted by address, and audited while there are few. Raises Throttled beyond."""
    address, rates = caller_address(edge), edge.admission.rates
    reason, client_id = "assertion", ""
    if isinstance(refusal, NotProven):
        reason, client_id = refusal.reason, refusal.client_id
    remember(edge, Denial("oauth.denied", reason, address, client_id))
    rates.count_failure(address)


def _refusal(error: str, description: str, *, wait_s: float | None = None) -> Response:
    response = jsonify(error=error, error_description=description)
    response.status_code = _STATUS.get(error, HTTPStatus.BAD_REQUEST)
    if error == "invalid_client" and "Authorization" in request.headers:
        response.headers["WWW-Authenticate"] = 'Basic realm="consilium"'
    if wait_s is not None:
        response.headers["Retry-After"] = str(max(1, round(wait_s)))
    return _uncached(response)


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
