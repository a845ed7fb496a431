"""POST /oauth/token: client credentials in, a bearer token out (RFC 6749 4.4, 5.1, 5.2)."""

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from flask import Response, g, jsonify, request

from gateway.domain.errors import GatewayError, Unauthenticated
from gateway.services.tokens import issue_token
from gateway.web.body import read_form
from gateway.web.edge import Edge

SCOPE = "system/*.crus"
"""What every token may do, within its party's own resources: create, read, update, search (SMART v2 scopes)."""

_MOST_BODY_BYTES = 16 * 1024


@dataclass(frozen=True)
class _Credentials:
    client_id: str
    secret: str = field(repr=False)


class _RefusalError(GatewayError):
    """An error of RFC 6749 5.2; its text becomes `error_description`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


def issue(edge: Edge) -> Response:
    """Answer a token request."""
    try:
        form = _form()
        _check_grant(form)
        credentials = _credentials(form)
        issued = issue_token(
            edge.database,
            client_id=credentials.client_id,
            client_secret=credentials.secret,
            now=edge.now(),
            lifetime_s=edge.token_lifetime_s,
        )
        g.client_id = credentials.client_id
    except Unauthenticated as refusal:
        return _refusal("invalid_client", str(refusal))
    except _RefusalError as refusal:
        return _refusal(refusal.error, str(refusal))
    answer = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.lifetime_s, "scope": SCOPE}
    return _uncached(jsonify(answer))


def _form() -> dict[str, str]:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise _RefusalError("invalid_request", "the body is application/x-www-form-urlencoded")
    form = read_form(_MOST_BODY_BYTES)
    if any(len(values) > 1 for _, values in form.lists()):
        raise _RefusalError("invalid_request", "a parameter is there twice")
    return form.to_dict()


def _check_grant(form: dict[str, str]) -> None:
    if "grant_type" not in form:
        raise _RefusalError("invalid_request", "grant_type is missing")
    if form["grant_type"] != "client_credentials":
        raise _RefusalError("unsupported_grant_type", "only client_credentials is supported")
    if any(not scope.startswith("system/") for scope in form.get("scope", "").split()):
        raise _RefusalError("invalid_scope", f"the scope is {SCOPE}")


def _credentials(form: dict[str, str]) -> _Credentials:
    """From the Authorization header or from the body, and not from both (RFC 6749 2.3)."""
    if "client_assertion" in form or "client_assertion_type" in form:
        raise _RefusalError("invalid_client", "client authentication is by secret")
    header = request.headers.get("Authorization", "")
    if not header:
        if "client_id" not in form or "client_secret" not in form:
            raise _RefusalError("invalid_client", "the client has to show its id and secret")
        return _Credentials(form["client_id"], form["client_secret"])
    if "client_secret" in form:
        raise _RefusalError("invalid_request", "credentials come in the header or in the body, not in both")
    credentials = _basic(header)
    if form.get("client_id", credentials.client_id) != credentials.client_id:
        raise _RefusalError("invalid_request", "client_id differs from the header's")
    return credentials


def _basic(header: str) -> _Credentials:
    """RFC 7617, with id and secret form-encoded inside (RFC 6749 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    client_id, separator, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not separator:
        raise _RefusalError("invalid_client", "the Authorization header is not Basic with an id and a secret")
    return _Credentials(unquote_plus(client_id), unquote_plus(secret))


def _refusal(error: str, description: str) -> Response:
    response = jsonify(error=error, error_description=description)
    is_unauthorized = error == "invalid_client"
    response.status_code = 401 if is_unauthorized else 400
    if is_unauthorized and "Authorization" in request.headers:
        response.headers["WWW-Authenticate"] = 'Basic realm="consilium"'
    return _uncached(response)


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
