"""Clients whose TLS certificate the proxy in front has verified (RFC 8705, RFC 9440)."""

import base64
import dataclasses
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from werkzeug.test import TestResponse

from gateway.services.clients import Means, add_client
from gateway.web.application import create_application
from tests.unit.gateway.web.support import PROXY, World

NAME = "ehr.clinic.example"


@cache
def certificate(name: str = NAME, serial: int = 1) -> str:
    """As the proxy passes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder(subject, subject, key.public_key(), serial, start, start + timedelta(days=365))
    if name:
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    encoded = built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return f":{base64.b64encode(encoded).decode()}:"


@pytest.fixture(autouse=True)
def _client(world: World) -> None:
    add_client(world.core, "clinic", "ehr", means=Means(certificate_name=NAME), actor="cli:test")


def fetch(world: World, shown: str | None, *, peer: str = PROXY, client_id: str = "ehr", **form: str) -> TestResponse:
    headers = {} if shown is None else {"Client-Cert": shown}
    sent = {"grant_type": "client_credentials", "client_id": client_id, **form}
    return world.http.post("/oauth/token", data=sent, headers=headers, environ_base={"REMOTE_ADDR": peer})


def read(world: World, token: str, shown: str | None, *, peer: str = PROXY) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} | ({} if shown is None else {"Client-Cert": shown})
    return world.http.get("/fhir/Patient", headers=headers, environ_base={"REMOTE_ADDR": peer})


def test_a_certificate_gets_a_token_that_is_worth_nothing_without_it(world: World) -> None:
    token = fetch(world, certificate()).get_json()["access_token"]
    assert read(world, token, certificate()).status_code == 200
    for other in (None, certificate(serial=2), certificate("other.example")):
        assert read(world, token, other).status_code == 401
    (first, *_) = world.audit_rows("fhir.denied")
    assert (first.subject, first.actor, first.details["reason"]) == ("ehr", "web", "certificate")


def test_a_token_fetched_by_a_secret_is_bound_to_the_certificate_as_well(world: World) -> None:
    client_id, secret = world.credentials["clinic"]
    token = fetch(world, certificate("other.example"), client_id=client_id, client_secret=secret)
    bearer = token.get_json()["access_token"]
    assert read(world, bearer, certificate("other.example")).status_code == 200
    assert read(world, bearer, None).status_code == 401


@pytest.mark.parametrize(
    "shown",
    [certificate("other.example"), certificate("*.clinic.example"), certificate(""), None],
    ids=range(4),
)
def test_another_certificate_does_not_do(world: World, shown: str | None) -> None:
    refused = fetch(world, shown)
    assert (refused.status_code, refused.get_json()["error"]) == (401, "invalid_client")


def test_a_certificate_does_not_do_for_a_client_of_another_kind(world: World) -> None:
    assert fetch(world, certificate(), client_id="clinic-client").status_code == 401


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.8", "::1", ""])
def test_anybody_can_write_a_header_and_only_the_proxys_counts(world: World, peer: str) -> None:
    refused = fetch(world, certificate(), peer=peer)
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_request")
    assert read(world, world.token(), certificate(), peer=peer).status_code == 400


@pytest.mark.parametrize(
    "shown",
    [
        "",
        ":",
        "::",
        ":AAAA:",
        ":?:",
        certificate().strip(":"),
        f"{certificate()}, {certificate('other.example')}",
        f":{'A' * 20_000}:",
    ],
    ids=range(8),
)
def test_what_is_not_one_certificate_is_refused(world: World, shown: str) -> None:
    assert fetch(world, shown).status_code == 400


def test_without_a_trusted_proxy_no_certificate_is_taken_nor_announced(world: World) -> None:
    admission = dataclasses.replace(world.edge.admission, trusted_proxies=())
    http = create_application(dataclasses.replace(world.edge, admission=admission)).test_client()
    found = http.get("/.well-known/smart-configuration").get_json()
    assert "tls_client_auth" not in found["token_endpoint_auth_methods_supported"]
    assert found["tls_client_certificate_bound_access_tokens"] is False
    headers = {"Client-Cert": certificate()}
    form = {"grant_type": "client_credentials", "client_id": "ehr"}
    refused = http.post("/oauth/token", data=form, headers=headers, environ_base={"REMOTE_ADDR": PROXY})
    assert refused.status_code == 400
