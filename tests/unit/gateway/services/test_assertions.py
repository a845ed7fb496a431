"""What an assertion has to say."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.errors import Unauthenticated
from gateway.services.assertions import read_assertion
from tests.client_keys import claims, ec_key, mac_by_public_key, rsa_key, signed, unsigned
from tests.core import START

AUDIENCE = "https://gateway.example/oauth/token"
SECONDS = int(START.timestamp())


def said(**changes: Any) -> dict[str, Any]:
    return claims("ehr", AUDIENCE, **changes)


def read(text: str) -> Any:
    return read_assertion(text, audience=AUDIENCE, now=START)


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS384", "ES384"])
def test_a_good_one_is_read_and_its_signature_is_the_keys(key: Any) -> None:
    found = read(signed(key, said(jti="one", exp=SECONDS + 300)))
    assert (found.client_id, found.kid, found.jti) == ("ehr", key.kid, "one")
    assert found.remembered_until > START + timedelta(seconds=330)
    assert found.is_signed_by(key)
    others = [rsa_key("other"), ec_key("other"), rsa_key() if key.key_type == "EC" else ec_key()]
    assert not any(found.is_signed_by(other) for other in others)


def test_what_was_changed_after_signing_has_no_signature() -> None:
    head, body, _ = signed(ec_key(), said()).split(".")
    _, other_body, signature = signed(ec_key(), said(jti="another")).split(".")
    assert read(f"{head}.{other_body}.{signature}").is_signed_by(ec_key())
    for text in (f"{head}.{body}.{signature}", f"{head}.{body}.", f"{head}.{body}.AAAA"):
        assert not read(text).is_signed_by(ec_key())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"aud": "https://elsewhere.example/oauth/token"}, "aud"),
        ({"aud": AUDIENCE + "/"}, "aud"),
        ({"aud": [AUDIENCE]}, "aud"),
        ({"aud": [AUDIENCE, "https://elsewhere.example"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": None}, "no exp"),
        ({"exp": SECONDS - 30}, "expired"),
        ({"exp": SECONDS + 331}, "5 minutes"),
        ({"exp": str(SECONDS + 60)}, "number"),
        ({"exp": True}, "number"),
        ({"exp": float("nan")}, "no moment"),
        ({"exp": float("inf")}, "no moment"),
        ({"exp": 10**400}, "no moment"),
        ({"nbf": SECONDS + 31}, "nbf"),
        ({"iat": SECONDS + 31}, "iat"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 7}, "jti"),
        ({"jti": "x" * 256}, "jti"),
        ({"sub": "somebody"}, "iss and sub"),
        ({"sub": None}, "iss and sub"),
        ({"iss": None}, "iss"),
        ({"iss": "x" * 65, "sub": "x" * 65}, "iss"),
    ],
    ids=range(23),
)
def test_a_claim_that_breaks_its_rule_is_named(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(Unauthenticated, match=word):
        read(signed(ec_key(), said(**changes)))


@pytest.mark.parametrize("changes", [{"exp": SECONDS - 29}, {"exp": SECONDS + 330}, {"nbf": SECONDS + 30}])
def test_the_clocks_may_be_half_a_minute_apart(changes: dict[str, Any]) -> None:
    assert read(signed(ec_key(), said(**changes))).is_signed_by(ec_key())


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({"alg": "RS256"}, "ES384 or RS384"),
        ({"alg": "PS384"}, "ES384 or RS384"),
        ({"typ": None}, "typ"),
        ({"typ": "at+jwt"}, "typ"),
        ({"kid": None}, "kid"),
        ({"jwk": {"kty": "RSA"}}, "nothing else"),
        ({"x5u": "https://attacker.example/chain"}, "nothing else"),
        ({"x5c": ["MIIB"]}, "nothing else"),
        ({"crit": ["b64"], "b64": True}, "nothing else|signed JWT"),
    ],
    ids=range(9),
)
def test_a_header_that_breaks_its_rule_is_named(header: dict[str, Any], word: str) -> None:
    with pytest.raises(Unauthenticated, match=word):
        read(signed(rsa_key(), said(), **header))


@pytest.mark.parametrize(
    "text",
    [
        unsigned(said()),
        unsigned(said(), alg="NONE"),
        mac_by_public_key(rsa_key(), said()),
        signed(ec_key(), said(jti="x" * 9000)),
        "",
        "a.b",
        "a.b.c",
        "....",
        "eyJ.eyJ.eyJ",
        "WyJhbGciXQ.e30.AAAA",  # a header that is a list
        "ImFsZyI.e30.AAAA",  # a text
        "Nw.e30.AAAA",  # a number
        "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6ImVjLTEifQ.W10.AAAA",  # claims that are a list
        "\ud800.e30.AAAA",
    ],
    ids=range(14),
)
def test_what_is_not_signed_by_a_key_of_ours_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        read(text)
    assert not text or text not in str(caught.value)


def test_a_representation_does_not_show_it() -> None:
    text = signed(ec_key(), said())
    assert text.split(".")[2] not in repr(read(text))
