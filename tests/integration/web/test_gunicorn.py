"""Bodies of any length and of none, sent by curl to the web process as it is run."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.gateway import Gateway
from tests.integration.web.curl import curl
from tests.unit.gateway.web.support import FHIR_JSON, patient

MOST_BYTES = 100_000
CHUNKED = ("-H", "Transfer-Encoding: chunked")
CLINIC = ("--identifier", "urn:oid:1.2.3|curl", "--country", "TR", "--time-zone", "Europe/Istanbul")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("web"), CONSILIUM_WEB__MAX_BODY_BYTES=str(MOST_BYTES))
    try:
        yield gateway.start("web")
    finally:
        gateway.stop()


@pytest.fixture(scope="module")
def with_token(gateway: Gateway) -> tuple[str, ...]:
    gateway.cli("clinic", "add", "curl", *CLINIC)
    client = gateway.shown("client", "add", "curl")
    token = gateway.token(client["client_id"], client["client_secret"])
    return ("-H", f"Authorization: Bearer {token}", "-H", f"Content-Type: {FHIR_JSON}")


@pytest.mark.parametrize("headers", [(), CHUNKED])
@pytest.mark.parametrize("size_bytes", [MOST_BYTES + 1, 300 * MOST_BYTES])
def test_too_long_a_body_gets_413_and_the_limit(
    gateway: Gateway, with_token: tuple[str, ...], tmp_path: Path, headers: tuple[str, ...], size_bytes: int
) -> None:
    body = tmp_path / "long.json"
    body.write_bytes(b" " * size_bytes)
    status, _, outcome = curl(*with_token, *headers, "--data-binary", f"@{body}", f"{gateway.url}/fhir/Patient")
    assert (status, outcome["issue"][0]["code"]) == (413, "too-long")
    assert f"{MOST_BYTES} bytes" in outcome["issue"][0]["diagnostics"]


@pytest.mark.parametrize("headers", [(), CHUNKED])
def test_a_body_may_fill_the_limit(
    gateway: Gateway, with_token: tuple[str, ...], tmp_path: Path, headers: tuple[str, ...]
) -> None:
    body = tmp_path / "full.json"
    body.write_bytes(json.dumps(patient(f"{random.getrandbits(64)}")).encode().ljust(MOST_BYTES))
    assert curl(*with_token, *headers, "--data-binary", f"@{body}", f"{gateway.url}/fhir/Patient")[0] == 201
