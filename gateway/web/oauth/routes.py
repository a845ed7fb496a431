"""OAuth 2.0: the token endpoint (RFC 6749 4.4) and where to find it (SMART App Launch 2.2, Conformance)."""

from functools import partial

from flask import Blueprint, Response, jsonify

from gateway.domain.scopes import EVERYTHING
from gateway.services.key_sets import ALGORITHMS
from gateway.web.edge import Edge
from gateway.web.oauth import token
from gateway.web.oauth.credentials import knows_own_name, token_url


def blueprint(edge: Edge) -> Blueprint:
    """`/oauth/token`, and the discovery document beside the root and below the FHIR base URL."""
    routes = Blueprint("oauth", __name__)
    routes.add_url_rule("/oauth/token", "token", partial(token.issue, edge), methods=["POST"])
    for place, prefix in (("root", ""), ("fhir", "/fhir")):
        path = f"{prefix}/.well-known/smart-configuration"
        routes.add_url_rule(path, f"smart_configuration_{place}", partial(_smart_configuration, edge))
    return routes


def _smart_configuration(edge: Edge) -> Response:
    """https://hl7.org/fhir/smart-app-launch/conformance.html, for backend services alone; RFC 8414 2, RFC 8705 3.3."""
    takes_assertions, takes_certificates = knows_own_name(edge), bool(edge.admission.trusted_proxies)
    methods = ["private_key_jwt"] if takes_assertions else []
    methods += ["client_secret_basic", "client_secret_post", *(["tls_client_auth"] if takes_certificates else [])]
    asymmetric = ["client-confidential-asymmetric"] if takes_assertions else []
    return jsonify(
        token_endpoint=token_url(edge),
        grant_types_supported=["client_credentials"],
        token_endpoint_auth_methods_supported=methods,
        token_endpoint_auth_signing_alg_values_supported=list(ALGORITHMS) if takes_assertions else [],
        tls_client_certificate_bound_access_tokens=takes_certificates,
        scopes_supported=[EVERYTHING],
        capabilities=[*asymmetric, "client-confidential-symmetric", "permission-v1", "permission-v2"],
    )
