"""OAuth 2.0: the token endpoint (RFC 6749 4.4) and where to find it (SMART App Launch 2.2, Conformance)."""

from functools import partial

from flask import Blueprint, Response, jsonify

from gateway.web.edge import Edge
from gateway.web.oauth import token


def blueprint(edge: Edge) -> Blueprint:
    """`/oauth/token`, and the discovery document beside the root and below the FHIR base URL."""
    routes = Blueprint("oauth", __name__)
    routes.add_url_rule("/oauth/token", "token", partial(token.issue, edge), methods=["POST"])
    for place, prefix in (("root", ""), ("fhir", "/fhir")):
        path = f"{prefix}/.well-known/smart-configuration"
        routes.add_url_rule(path, f"smart_configuration_{place}", partial(_smart_configuration, edge))
    return routes


def _smart_configuration(edge: Edge) -> Response:
    """https://hl7.org/fhir/smart-app-launch/conformance.html, as far as backend services go."""
    return jsonify(
        token_endpoint=f"{edge.root_url}/oauth/token",
        grant_types_supported=["client_credentials"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        scopes_supported=[token.SCOPE],
        capabilities=["client-confidential-symmetric", "permission-v2"],
    )
