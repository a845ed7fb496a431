"""The WSGI application: HTTP to service calls and back, nothing else."""

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Flask

from gateway.services.resource_transaction import Effect
from gateway.services.resources import Preparation
from gateway.services.tokens import TOKEN_LIFETIME_S
from gateway.store.engine import Database
from gateway.web import access_log, errors, health
from gateway.web.edge import Edge, Room
from gateway.web.fhir import routes as fhir
from gateway.web.oauth import routes as oauth


def create_application(
    *,
    database: Database,
    blobs: Room,
    now: Callable[[], datetime],
    effects: Mapping[str, Effect],
    before_storing: Mapping[str, Preparation],
    version: str = "unreleased",
    base_url: str = "",
    max_body_bytes: int = 50_000_000,
    token_lifetime_s: int = TOKEN_LIFETIME_S,
) -> Flask:
    """Everything the gateway serves over HTTP.

    `effects` is what storing a resource of a type sets in motion, `before_storing` what it needs done before; see
    `gateway.services.effects`. `base_url` is the public address, '' to take it
    from each request.
    """
    edge = Edge(
        database=database,
        blobs=blobs,
        now=now,
        effects=effects,
        before_storing=before_storing,
        version=version,
        started_on=now().date().isoformat(),
        base_url=base_url,
        max_body_bytes=max_body_bytes,
        token_lifetime_s=token_lifetime_s,
    )
    application = Flask("gateway.web", static_folder=None)
    application.url_map.merge_slashes = False
    access_log.register(application)
    errors.register(application)
    application.register_blueprint(health.blueprint(edge))
    application.register_blueprint(oauth.blueprint(edge))
    application.register_blueprint(fhir.blueprint(edge), url_prefix="/fhir")
    return application
