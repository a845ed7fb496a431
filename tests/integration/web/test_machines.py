"""Clients with keys of their own, against the web as it is run: several processes, one database."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

from gateway.web.oauth.credentials import ASSERTION_TYPE
from tests.acceptance.gateway import Gateway
from tests.client_keys import Key, claims, ec_key, key_set, rsa_key, signed
from tests.integration.web.curl import curl
from tests.unit.gateway.web.support import FHIR_JSON

ROOT = Path(__file__).parents[3]
AT_ONCE = 16
CLINIC = ("--identifier", "urn:oid:1.2.3|hospital", "--country", "TR", "--time-zone", "Europe/Istanbul")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("machines"), CONSILIUM_WEB__WORKERS="2")
    try:
        gateway.start("web")
        gateway.cli("clinic", "add", "hospital", *CLINIC)
        yield gateway
    finally:
        gateway.stop()
        gateway.database.dispose()


def registered(gateway: Gateway, folder: Path, client_id: str, *keys: Key) -> None:
    file = folder / "keys.json"
    file.write_bytes(key_set(*keys))
    gateway.cli("client", "add", "hospital", "--id", client_id, "--jwks", str(file))


def assertion(gateway: Gateway, key: Key, client_id: str) -> str:
    return signed(key, claims(client_id, f"{gateway.url}/oauth/token", datetime.now(UTC)))


def ask(gateway: Gateway, text: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
    return httpx.post(f"{gateway.url}/oauth/token", data=form, verify=False, trust_env=False, timeout=30)


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS384", "ES384"])
def test_authlib_comes_with_a_key(gateway: Gateway, tmp_path: Path, key: Key) -> None:
    client_id = f"authlib-{key.kid}"
    registered(gateway, tmp_path, client_id, key)
    url, algorithm = f"{gateway.url}/oauth/token", "RS384" if key is rsa_key() else "ES384"
    proof = PrivateKeyJWT(url, claims={"exp": int(time.time()) + 240}, headers={"kid": key.kid}, alg=algorithm)
    with OAuth2Session(client_id, key, token_endpoint_auth_method=proof) as client:
        client.trust_env = False
        token = client.fetch_token(url, grant_type="client_credentials", scope="system/Patient.rs")
        assert token["scope"] == "system/Patient.rs"
        assert client.get(f"{gateway.url}/fhir/Patient").json()["total"] == 0
        assert client.get(f"{gateway.url}/fhir/Consent").status_code == 403


def test_of_assertions_that_are_replayed_at_once_one_wins(gateway: Gateway, tmp_path: Path) -> None:
    registered(gateway, tmp_path, "replayed", ec_key())
    gate, text = threading.Barrier(AT_ONCE), assertion(gateway, ec_key(), "replayed")

    def fetch(_: int) -> int:
        gate.wait(30)
        return ask(gateway, text).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sorted(pool.map(fetch, range(AT_ONCE))) == [200] + [401] * (AT_ONCE - 1)
    for program in gateway.programs.values():
        assert text.split(".")[2] not in program.log()


def test_the_page_about_clients_leads_to_a_token(gateway: Gateway, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    script = "set -eu\n" + "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S))
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TOKEN_URL": f"{gateway.url}/oauth/token"}
    environment = os.environ | gateway.environment | own
    ended = subprocess.run(
        ["bash", "-c", script], check=False, cwd=tmp_path, env=environment, capture_output=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr.decode()
    token = json.loads((tmp_path / "token.json").read_text())
    assert token["scope"] == "system/*.rs"
    bearer = ("-H", f"Authorization: Bearer {token['access_token']}")
    assert curl(*bearer, f"{gateway.url}/fhir/Patient")[0] == 200
    create = ("-H", f"Content-Type: {FHIR_JSON}", "-d", "{}")
    assert curl(*bearer, *create, f"{gateway.url}/fhir/Patient")[0] == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Client-Cert: :AAAA:",), 400),
        (("client-cert: :AAAA:", "CLIENT-CERT: :AAAA:"), 400),
        (("Client_Cert: :AAAA:",), 401),  # never became the other header
    ],
    ids=range(3),
)
def test_a_certificate_that_somebody_wrote_into_a_header_is_none(
    gateway: Gateway, headers: tuple[str, ...], status: int
) -> None:
    written = [part for header in headers for part in ("-H", header)]
    form = ("-d", "grant_type=client_credentials", "-d", "client_id=nobody")
    assert curl(*written, *form, f"{gateway.url}/oauth/token")[0] == status


class KeyHost(ThreadingHTTPServer):
    """A client's own host of keys on this machine."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = b""
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host: Any = self.server
        host.asked += 1
        self.send_response(200 if host.content else 500)
        self.send_header("Content-Length", str(len(host.content)))
        self.end_headers()
        self.wfile.write(host.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def host() -> Iterator[KeyHost]:
    serving = KeyHost()
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_keys_are_fetched_once_for_all_processes(gateway: Gateway, host: KeyHost) -> None:
    host.content = key_set(ec_key("published"))
    gateway.cli(
        "client", "add", "hospital", "--id", "publisher", "--jwks-url", f"http://127.0.0.1:{host.server_port}/k"
    )
    assert ask(gateway, assertion(gateway, ec_key("published"), "publisher")).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        texts = [assertion(gateway, ec_key("published"), "publisher") for _ in range(8)]
        assert [answer.status_code for answer in pool.map(lambda text: ask(gateway, text), texts)] == [200] * 8
    assert ask(gateway, assertion(gateway, ec_key("unknown"), "publisher")).status_code == 401
    assert host.asked == 1
    [shown] = gateway.shown("client", "keys", "publisher")
    assert shown["kid"] == "published"


def test_a_host_of_keys_that_fails_has_the_client_come_back(gateway: Gateway, host: KeyHost) -> None:
    gateway.cli("client", "add", "hospital", "--id", "away", "--jwks-url", f"http://127.0.0.1:{host.server_port}/k")
    answers = [ask(gateway, assertion(gateway, ec_key(), "away")) for _ in range(3)]
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "60")] * 3
    assert host.asked == 1
