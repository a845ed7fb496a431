"""Tokens: from a file, from a token endpoint, cached, renewed once."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.domain.errors import Permanent, Transient
from gateway.domain.party import FhirAddress
from workers.ehr.auth import TokenCache
from workers.ehr.client import Call, Session, Wiring

BASE = "https://ehr.clinic.example/fhir"
TOKEN_URL = "https://login.clinic.example/token"


class Provider:
    """Gives token-1, token-2 ... and an EHR that accepts those in `accepted`."""

    def __init__(self) -> None:
        self.issued = 0
        self.accepted: set[str] = set()
        self.token_answer: httpx.Response | None = None
        self.lifetime: Any = 300
        self.token_requests: list[httpx.Request] = []
        self.shown: list[str] = []
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.wiring = Wiring(lambda: self.now, TokenCache(), transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) != TOKEN_URL:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            self.shown.append(token)
            return httpx.Response(200 if token in self.accepted else 401)
        self.token_requests.append(request)
        if self.token_answer is not None:
            return self.token_answer
        self.issued += 1
        token = f"token-{self.issued}"
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
        return httpx.Response(200, json=body)

    def call(self, address: FhirAddress, *, before_send: Any = lambda: None, **more: Any) -> None:
        with Session(address, before_send=before_send, wiring=self.wiring) as session:
            session.send(Call("GET", "DiagnosticReport/1", **more))


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def client_address(tmp_path: Path) -> FhirAddress:
    secret = tmp_path / "secret"
    secret.write_text("p:ss word\n", encoding="utf-8")
    return FhirAddress(BASE, token_url=TOKEN_URL, client_id="con:silium", client_secret_file=str(secret))


def test_client_credentials_are_shown_as_rfc_6749_wants_them(provider: Provider, client_address: FhirAddress) -> None:
    provider.accepted = {"token-1"}
    provider.call(client_address)

    (request,) = provider.token_requests
    shown = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert shown == "con%3Asilium:p%3Ass+word"
    assert request.content == b"grant_type=client_credentials"


def test_a_token_is_used_until_it_ends(provider: Provider, client_address: FhirAddress) -> None:
    provider.accepted = {"token-1", "token-2"}
    provider.call(client_address)
    provider.now += timedelta(seconds=260)
    provider.call(client_address)
    provider.now += timedelta(seconds=15)
    provider.call(client_address)

    assert provider.shown == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize("lifetime", [None, "3600", -1, 10**30, 1.5, 0, 10])
def test_an_odd_lifetime_does_no_harm(provider: Provider, client_address: FhirAddress, lifetime: Any) -> None:
    provider.lifetime = lifetime
    provider.accepted = {"token-1"}

    provider.call(client_address)

    assert provider.shown == ["token-1"]


def test_a_refused_token_is_renewed_once(provider: Provider, client_address: FhirAddress) -> None:
    provider.accepted = {"token-2"}
    asked: list[int] = []

    provider.call(client_address, before_send=lambda: asked.append(len(provider.shown)))

    assert provider.shown == ["token-1", "token-2"]
    assert asked == [0, 1]


def test_a_second_refusal_is_for_a_person(provider: Provider, client_address: FhirAddress) -> None:
    with pytest.raises(Permanent, match="401"):
        provider.call(client_address)

    assert provider.shown == ["token-1", "token-2"]


def test_a_token_file_is_read_again_after_a_refusal(provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n", encoding="utf-8")
    address = FhirAddress(BASE, token_file=str(file))
    provider.accepted = {"old"}
    provider.call(address)
    file.write_text("new\n", encoding="utf-8")
    provider.accepted = {"new"}
    provider.call(address)

    assert provider.shown == ["old", "old", "new"]


def test_an_unchanged_token_file_is_not_tried_twice(provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("same", encoding="utf-8")

    with pytest.raises(Permanent, match="401"):
        provider.call(FhirAddress(BASE, token_file=str(file)))

    assert provider.shown == ["same"]


@pytest.mark.parametrize("content", [b"", b"two words", b"line\r\nbreak", "ğ".encode(), b"\xff\xfe"])
def test_a_token_file_that_no_header_may_carry(provider: Provider, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)

    with pytest.raises(Permanent, match="token_file"):
        provider.call(FhirAddress(BASE, token_file=str(file)))
    assert not provider.shown


def test_a_missing_secret_names_its_setting(provider: Provider) -> None:
    with pytest.raises(Permanent, match="client_secret_file of this endpoint cannot be read: none is named"):
        provider.call(FhirAddress(BASE, token_url=TOKEN_URL, client_id="c"))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>sign in</html>"),
        httpx.Response(200, json=["token"]),
        httpx.Response(200, json={"access_token": "x", "token_type": "mac"}),
        httpx.Response(200, json={"access_token": "a\r\nX: y", "token_type": "Bearer"}),
        httpx.Response(200, json={"access_token": 7, "token_type": "Bearer"}),
        httpx.Response(302, headers={"Location": "https://elsewhere.example"}),
    ],
)
def test_what_is_no_token_is_for_a_person(
    provider: Provider, client_address: FhirAddress, answer: httpx.Response
) -> None:
    provider.token_answer = answer

    with pytest.raises(Permanent):
        provider.call(client_address)
    assert not provider.shown


def test_a_refused_client_is_told_by_its_code_only(provider: Provider, client_address: FhirAddress) -> None:
    body = {"error": "invalid_client", "error_description": "secret p:ss word is wrong"}
    provider.token_answer = httpx.Response(401, json=body)

    with pytest.raises(Permanent, match=r"HTTP 401 \(invalid_client\)") as caught:
        provider.call(client_address)
    assert "p:ss" not in str(caught.value)


def test_a_token_endpoint_that_is_away_is_tried_later(provider: Provider, client_address: FhirAddress) -> None:
    provider.token_answer = httpx.Response(503, headers={"Retry-After": "9"})

    with pytest.raises(Transient) as caught:
        provider.call(client_address)
    assert caught.value.retry_after_s == 9
