"""Composition root of the web process: settings -> Flask application -> gunicorn."""

import atexit
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from config.settings import Settings
from gateway.domain import trace
from gateway.domain.people import read_grant
from gateway.domain.sign_in import Hashing, SessionLimits, SignInPolicy
from gateway.key_host import fetch_keys
from gateway.process import prepare_process
from gateway.services.core import Core
from gateway.services.effects import before_storing, effects
from gateway.web import denied
from gateway.web.application import create_application
from gateway.web.edge import Admission, Edge, Surroundings
from gateway.web.people.desk import Desk
from gateway.web.rates import Limits, Rates
from gateway.web.server_log import ServerLog
from gateway.wiring import key_problem, start_core

if TYPE_CHECKING:
    from gateway.openid.provider import Provider  # its libraries are loaded where there is a provider

_LONGEST_REQUEST_LINE = 8190
"""All that gunicorn reads within a bound: the answer of an identity provider may be long."""


def run_web(settings: Settings) -> None:
    """Serve HTTP until SIGTERM or SIGINT; requests under way are allowed to end."""
    prepare_process(settings, "web")
    _Server(settings).run()


def build_application(settings: Settings) -> Flask:
    """The WSGI application over the stores that these settings name."""
    core = start_core(settings, "web")
    edge = _edge(settings, core)
    atexit.register(denied.sum_up_at_end, edge)
    return create_application(edge, _desk(settings, core))


def _edge(settings: Settings, core: Core) -> Edge:
    return Edge(
        database=core.database,
        blobs=core.blobs,
        now=core.now,
        effects=effects(core),
        before_storing=before_storing(core),
        version=version("consilium-gateway"),
        started_on=core.now().date().isoformat(),
        base_url=settings.web.base_url,
        max_body_bytes=settings.web.max_body_bytes,
        token_lifetime_s=settings.web.token_lifetime_s,
        surroundings=Surroundings(
            data_folder=settings.data_dir,
            reserve_bytes=settings.storage.min_free_bytes,
            broker=settings.broker_address,
            overdue_after_s=settings.worker.overdue_after_s,
            key_problem=partial(key_problem, settings, core),
        ),
        admission=_admission(settings),
        pseudonym_key=core.pseudonym_key,
    )


def _desk(settings: Settings, core: Core) -> Desk:
    people, oidc = settings.people, settings.oidc
    return Desk(
        core=core,
        policy=SignInPolicy(
            SessionLimits(timedelta(seconds=people.idle_timeout_s), timedelta(seconds=people.session_lifetime_s)),
            Hashing(people.password_memory_kib, people.password_passes),
            has_local_accounts=people.local_accounts,
            issuer=oidc.issuer,
        ),
        base_url=settings.web.base_url,
        provider=_provider(settings) if oidc.issuer else None,
        role_map={group: read_grant(role) for group, role in oidc.roles.items()},
    )


def _provider(settings: Settings) -> "Provider":
    from gateway.openid.provider import Provider, ProviderSettings

    oidc = settings.oidc
    return Provider(
        ProviderSettings(
            issuer=oidc.issuer,
            client_id=oidc.client_id,
            client_secret=settings.oidc_client_secret,
            ca_file=oidc.ca_file,
            roles_claim=oidc.roles_claim,
            required_amr=oidc.required_amr,
            max_age_s=oidc.max_age_s,
        )
    )


def _admission(settings: Settings) -> Admission:
    web, limits = settings.web, settings.limits
    return Admission(
        fetch_keys=fetch_keys,
        rates=Rates(Limits(limits.tokens_per_minute, limits.requests_per_minute, limits.refused_tokens_per_minute)),
        trusted_proxies=tuple(ip_network(proxy) for proxy in web.trusted_proxies),
        metrics_readers=tuple(ip_network(reader) for reader in web.metrics_addresses),
    )


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn without its command line; each worker opens stores of its own after the fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        web = self._settings.web
        options: dict[str, Any] = {
            "bind": f"[{web.host}]:{web.port}" if ":" in web.host else f"{web.host}:{web.port}",
            "workers": web.workers,
            "threads": web.threads,
            "worker_class": "gthread",
            "graceful_timeout": 15,
            "logger_class": ServerLog,
            "errorlog": None,  # as `ServerLog` wants it
            "loglevel": "error",  # its warnings quote request lines, which may hold a name
            "proc_name": "consilium-web",
            "control_socket_disable": True,
            "limit_request_line": _LONGEST_REQUEST_LINE,
            "worker_exit": lambda _server, _worker: trace.flush(),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return build_application(self._settings)
