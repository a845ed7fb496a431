"""Bearer tokens (RFC 6750 2.1): every FHIR request but the public ones is somebody's."""

from collections.abc import Collection

from flask import g, request

from gateway.domain.errors import Unauthenticated
from gateway.services.tokens import Caller, authenticate
from gateway.web.edge import Edge


def authenticate_caller(edge: Edge, public: Collection[str]) -> None:
    """Remember who calls. Raises Unauthenticated."""
    if request.endpoint in public:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("a bearer token is needed; fetch one at the token endpoint")
    g.has_credentials = True
    g.caller = authenticate(edge.database, token.strip(), now=edge.now())
    g.client_id = g.caller.client_id


def current_caller() -> Caller:
    """Who makes the current request."""
    caller: Caller = g.caller
    return caller
