"""An ID token counts when everything about it is right; each thing that is not has it refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from gateway.domain.errors import Unauthenticated, Unreachable
from gateway.domain.people import Vouched
from gateway.openid.discovery import Discovery
from gateway.openid.exchange import Exchange
from gateway.openid.provider import Departure, Provider, ProviderSettings
from tests.integration.openid.liar import Claims, Liar, challenge

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECONDS = round(NOW.timestamp())
BACK = "https://gateway.example/account/openid/answer"
CLIENT = "consilium"
SECRET = "a secret of sixteen"


@pytest.fixture
def liar() -> Iterator[Liar]:
    liar = Liar()
    yield liar
    liar.stop()


@pytest.fixture
def settings(liar: Liar) -> ProviderSettings:
    return ProviderSettings(
        issuer=liar.issuer,
        client_id=CLIENT,
        client_secret=SECRET,
        ca_file="",
        roles_claim="groups",
        required_amr=(),
        max_age_s=0,
    )


def truth(liar: Liar, departure: Departure, **more: Any) -> Claims:
    claims = {"iss": liar.issuer, "sub": "248289", "aud": CLIENT, "nonce": departure.nonce, "groups": ["board"]}
    return claims | {"iat": SECONDS - 1, "exp": SECONDS + 300} | more


def vouched(provider: Provider, departure: Departure) -> Vouched:
    return provider.vouch(code="c0de", redirect_uri=BACK, nonce=departure.nonce, verifier=departure.verifier, now=NOW)


def test_a_true_token_vouches(liar: Liar, settings: ProviderSettings) -> None:
    provider = Provider(settings)
    departure = provider.depart(BACK)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(departure.url).query).items()}
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "scope": "openid",
        "state": departure.state,
        "nonce": departure.nonce,
        "code_challenge": challenge(departure.verifier),
        "code_challenge_method": "S256",
    }
    liar.claims = truth(liar, departure)
    assert vouched(provider, departure) == Vouched(liar.issuer, "248289", ("board",))
    [form] = liar.seen
    assert (form["code_verifier"], form["redirect_uri"]) == (departure.verifier, BACK)
    assert form["authorization"].startswith("Basic ")
    assert provider.sign_out_url("https://gateway.example/out").startswith(f"{liar.issuer}/end?client_id=consilium&")


def _instead(said: Claims, _true: str) -> Claims:
    return said


LIES: dict[str, Claims] = {
    "other issuer": {"iss": "https://elsewhere.example"},
    "other audience": {"aud": "another-client"},
    "audiences and no azp": {"aud": [CLIENT, "another"], "azp": "another"},
    "other nonce": {"nonce": "replayed"},
    "expired": {"exp": SECONDS - 60},
    "not yet": {"nbf": SECONDS + 600},
    "issued in the future": {"iat": SECONDS + 600},
    "empty subject": {"sub": ""},
    "endless subject": {"sub": "x" * 256},
    "numeric subject": {"sub": 1},
    "hash of another access token": {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_with_a_wrong_claim_is_refused(liar: Liar, settings: ProviderSettings, lie: str) -> None:
    provider = Provider(settings)
    departure = provider.depart(BACK)
    liar.claims = truth(liar, departure, **LIES[lie])
    with pytest.raises(Unauthenticated):
        vouched(provider, departure)


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat", "nonce"])
def test_a_token_without_a_claim_is_refused(liar: Liar, settings: ProviderSettings, claim: str) -> None:
    provider = Provider(settings)
    departure = provider.depart(BACK)
    liar.claims = truth(liar, departure)
    del liar.claims[claim]
    with pytest.raises(Unauthenticated):
        vouched(provider, departure)


def test_a_token_signed_by_others_or_by_nobody_is_refused(liar: Liar, settings: ProviderSettings) -> None:
    provider = Provider(settings)
    departure = provider.depart(BACK)
    claims, stranger = truth(liar, departure), ECKey.generate_key("P-256")
    payload = liar.signed(claims).split(".")
    unsigned = ".".join(["eyJhbGciOiJub25lIn0", payload[1], ""])
    with_our_secret = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
    for token in (
        jwt.encode({"alg": "ES256", "kid": "one"}, claims, stranger),
        jwt.encode({"alg": "ES256", "kid": "another"}, claims, stranger),
        with_our_secret,
        unsigned,
        "not a token",
        "",
    ):
        liar.token = partial(_instead, liar.plain(token))
        with pytest.raises(Unauthenticated):
            vouched(provider, departure)


def test_a_refusal_of_the_provider_is_a_refusal(liar: Liar, settings: ProviderSettings) -> None:
    provider = Provider(settings)
    departure = provider.depart(BACK)
    answers: list[Claims] = [{"error": "invalid_grant"}, {"access_token": "x", "token_type": "Bearer"}, {}]
    for answer in answers:
        liar.token = partial(_instead, answer)
        with pytest.raises(Unauthenticated):
            vouched(provider, departure)


def test_new_keys_of_the_provider_are_looked_for_but_not_at_every_lie(liar: Liar, settings: ProviderSettings) -> None:
    provider = Provider(settings)
    departure = provider.depart(BACK)
    liar.claims = truth(liar, departure)
    vouched(provider, departure)
    liar.token = lambda _true: liar.plain(liar.signed(liar.claims, {"kid": "unknown"}))
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            vouched(provider, departure)
    assert liar.keys_asked == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ],
    ids=["issuer", "plain", "file", "missing"],
)
def test_a_description_that_cannot_be_its_own_is_refused(
    liar: Liar, settings: ProviderSettings, metadata: Claims
) -> None:
    liar.metadata = metadata
    with pytest.raises(Unreachable):
        Provider(settings).depart(BACK)


def test_how_and_when_it_was_proven_counts_where_the_settings_ask(liar: Liar, settings: ProviderSettings) -> None:
    provider = Provider(replace(settings, required_amr=("mfa", "hwk"), max_age_s=600))
    departure = provider.depart(BACK)
    assert "max_age=600" in departure.url
    enough = {"amr": ["pwd", "mfa"], "auth_time": SECONDS - 60}
    liar.claims = truth(liar, departure, **enough)
    assert vouched(provider, departure).subject == "248289"
    too_little: list[Claims] = [
        {"amr": ["pwd"]},
        {"amr": []},
        {"auth_time": SECONDS - 6000},
        {"auth_time": None},
    ]
    for less in too_little:
        liar.claims = truth(liar, departure, **(enough | less))
        with pytest.raises(Unauthenticated):
            vouched(provider, departure)


def test_a_provider_that_is_away_is_named_without_its_address(settings: ProviderSettings) -> None:
    away = replace(settings, issuer="http://127.0.0.1:9")
    with pytest.raises(Unreachable) as refusal:
        Provider(away).depart(BACK)
    assert "127.0.0.1" not in str(refusal.value)


def test_changed_keys_are_found_a_minute_later(liar: Liar) -> None:
    time_s = 1000.0
    discovery = Discovery(liar.issuer, Exchange(""), lambda: time_s)
    assert [key.kid for key in discovery.keys("one")] == ["one"]
    liar.published = [ECKey.generate_key("P-256", parameters={"kid": "two"})]
    assert [key.kid for key in discovery.keys("two")] == ["one"]
    time_s += 61
    assert [key.kid for key in discovery.keys("two")] == ["two"]


def test_a_provider_that_failed_is_left_alone_for_a_moment(liar: Liar) -> None:
    time_s = 1000.0
    discovery = Discovery(liar.issuer, Exchange(""), lambda: time_s)
    liar.metadata = {"issuer": "https://elsewhere.example"}
    with pytest.raises(Unreachable, match="cannot be used"):
        discovery.endpoints()
    liar.metadata = {}
    with pytest.raises(Unreachable, match="a few seconds"):
        discovery.endpoints()
    time_s += 5
    assert discovery.endpoints().token == f"{liar.issuer}/token"


def test_one_thread_asks_the_provider_and_the_others_do_not_wait(liar: Liar) -> None:
    time_s, asking, answers = 1000.0, Event(), Event()

    class Hanging(Exchange):
        def get(self, url: str) -> httpx.Response:
            asking.set()
            assert answers.wait(30)
            return super().get(url)

    discovery = Discovery(liar.issuer, Hanging(""), lambda: time_s)
    with ThreadPoolExecutor(1) as pool:
        for first in ("nothing", "old"):
            asking.clear()
            answers.clear()
            asked = pool.submit(discovery.endpoints)
            try:
                assert asking.wait(30)
                if first == "nothing":
                    with pytest.raises(Unreachable):
                        discovery.endpoints()
                else:
                    assert discovery.endpoints().token == f"{liar.issuer}/token"
                with pytest.raises(Unreachable):
                    discovery.keys("unknown")
            finally:
                answers.set()
            assert asked.result(30).token == f"{liar.issuer}/token"
            time_s += 3601


def test_a_ca_file_that_cannot_be_used_is_said_without_its_path(settings: ProviderSettings) -> None:
    with pytest.raises(Unreachable, match="CA file") as refusal:
        Provider(replace(settings, ca_file="/nowhere/ca.pem")).depart(BACK)
    assert "/nowhere" not in str(refusal.value)
