"""What a token request shows to prove who sends it: in its header, its form or its connection, in one of them."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus, urlsplit

from flask import request

from gateway.domain.addresses import is_loopback
from gateway.domain.errors import GatewayError
from gateway.services.client_proof import ByAssertion, ByCertificate, BySecret, Certificate, Shown
from gateway.web.edge import Edge

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 2.2."""


class RefusalError(GatewayError):
    """An error of RFC 6749 5.2; its text becomes `error_description`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


def token_url(edge: Edge) -> str:
    """The token endpoint, as discovery names it and an assertion has to."""
    return f"{edge.root_url}/oauth/token"


def knows_own_name(edge: Edge) -> bool:
    """Whether the URL is ours and not the Host header of whoever asks: else an assertion for others would do here."""
    return bool(edge.base_url) or is_loopback(urlsplit(edge.root_url).hostname or "")


def read_credentials(edge: Edge, form: Mapping[str, str], certificate: Certificate | None) -> Shown:
    """RFC 6749 2.3: one method, or the request is refused. Raises RefusalError."""
    header = request.headers.get("Authorization", "")
    by = [
        method
        for method, is_there in (
            ("header", bool(header)),
            ("secret", "client_secret" in form),
            ("assertion", "client_assertion" in form or "client_assertion_type" in form),
        )
        if is_there
    ]
    if len(by) > 1:
        raise RefusalError("invalid_request", "a client shows who it is in one way: header, client_secret or assertion")
    if by == ["assertion"]:
        return _assertion(edge, form)
    if by == ["header"]:
        return _basic(header, form)
    if by == ["secret"] and "client_id" in form:
        return BySecret(form["client_id"], form["client_secret"])
    if not by and "client_id" in form and certificate is not None:
        return ByCertificate(form["client_id"])
    raise RefusalError("invalid_client", "the client has to show who it is: an assertion, or its id and secret")


def _assertion(edge: Edge, form: Mapping[str, str]) -> ByAssertion:
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise RefusalError("invalid_client", f"a client_assertion has the client_assertion_type {ASSERTION_TYPE}")
    if not knows_own_name(edge):
        raise RefusalError("invalid_client", "the gateway takes no assertion: its setting web.base_url is empty")
    return ByAssertion(form["client_assertion"], token_url(edge), form.get("client_id", ""))


def _basic(header: str, form: Mapping[str, str]) -> BySecret:
    """RFC 7617, with id and secret form-encoded inside (RFC 6749 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    client_id, separator, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not separator:
        raise RefusalError("invalid_client", "the Authorization header is not Basic with an id and a secret")
    shown = BySecret(unquote_plus(client_id), unquote_plus(secret))
    if form.get("client_id", shown.client_id) != shown.client_id:
        raise RefusalError("invalid_request", "client_id differs from the header's")
    return shown
