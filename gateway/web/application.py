"""The WSGI application: HTTP to service calls and back, nothing else."""

from functools import partial

from flask import Flask
from jinja2 import StrictUndefined

from gateway.web import access_log, acknowledging, denied, errors, health, metrics
from gateway.web.admin.routes import admin_pages
from gateway.web.edge import Edge
from gateway.web.fhir import routes as fhir
from gateway.web.oauth import routes as oauth
from gateway.web.people.desk import Desk
from gateway.web.people.routes import account_pages
from gateway.web.tracing import traced


def create_application(edge: Edge, desk: Desk | None = None) -> Flask:
    """Everything the gateway serves over HTTP; pages for people where there is a desk for them."""
    application = Flask("gateway.web", static_folder=None)
    application.url_map.merge_slashes = False
    access_log.register(application)
    errors.register(application)
    acknowledging.register(application)
    application.after_request(partial(denied.sum_up, edge))
    application.register_blueprint(health.blueprint(edge))
    application.register_blueprint(metrics.blueprint(edge))
    application.register_blueprint(oauth.blueprint(edge))
    application.register_blueprint(fhir.blueprint(edge), url_prefix="/fhir")
    if desk is not None:
        application.jinja_env.undefined = StrictUndefined
        application.register_blueprint(account_pages(edge, desk))
        application.register_blueprint(admin_pages(edge, desk))
    # Flask's own way to wrap it (https://flask.palletsprojects.com/en/stable/quickstart/#hooking-in-wsgi-middleware),
    # which its types do not foresee: there it is a method.
    application.wsgi_app = traced(application.wsgi_app)  # type: ignore[method-assign, assignment]
    return application
