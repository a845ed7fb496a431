"""Which keys of a client are taken."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.errors import Invalid
from gateway.services.key_sets import key_of, read_key_set
from tests.client_keys import ec_key, key_set, public, rsa_key, weak_key
from tests.core import START


def ids(text: bytes) -> list[str]:
    return [key["kid"] for key in read_key_set(text)["keys"]]


def test_keys_are_reduced_to_what_is_used_of_them() -> None:
    found = read_key_set(key_set(public(rsa_key(), use="sig", alg="RS384", x5t="x", comment="y"), ec_key()))
    assert [sorted(key) for key in found["keys"]] == [["e", "kid", "kty", "n"], ["crv", "kid", "kty", "x", "y"]]


@pytest.mark.parametrize(
    "other",
    [
        public(rsa_key(), use="enc"),
        public(rsa_key(), alg="RS256"),
        public(rsa_key(), key_ops=["encrypt"]),
        public(ec_key("small", "P-256")),
        {"kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {name: value for name, value in public(rsa_key()).items() if name != "kid"},
        public(rsa_key(), kid=7),
        public(rsa_key(), exp="tomorrow"),
    ],
    ids=["encryption", "RS256", "operations", "P-256", "Ed25519", "no id", "a number", "a word"],
)
def test_other_public_keys_are_passed_over(other: dict[str, Any]) -> None:
    assert ids(key_set(ec_key(), other)) == ["ec-1"]
    with pytest.raises(Invalid, match="no key"):
        read_key_set(key_set(other))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (json.dumps({"keys": [ec_key().as_dict(private=True)]}).encode(), "private"),
        (json.dumps({"keys": [public(ec_key()), rsa_key().as_dict(private=True)]}).encode(), "private"),
        (json.dumps(ec_key().as_dict(private=True)).encode(), "private"),
        (json.dumps({"keys": [{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}]}).encode(), "shared"),
        (key_set(ec_key(), weak_key()), "1024 bits"),
        (key_set(public(rsa_key(), e="A" * 800 + "Q")), "damaged|exponent"),
        (key_set(rsa_key(), public(ec_key(), kid="rsa-1")), "same kid"),
        (key_set(public(ec_key(), x="AAAA")), "damaged"),
        (key_set(public(ec_key(), x="?")), "damaged"),
        (key_set(public(rsa_key(), n=5)), "damaged"),
        (key_set(*(public(ec_key(), kid=str(number)) for number in range(21))), "20 keys"),
        (b'{"keys": ' + b" " * 70_000 + b"[]}", "65536 bytes"),
        (b"[" * 50_000, "JSON"),
        (b"-----BEGIN PUBLIC KEY-----", "JSON"),
        (b"\xff", "JSON"),
        (b"[]", "list of keys"),
        (b'{"keys": {}}', "list of keys"),
        (b'{"keys": [7]}', "list of keys"),
        (b'{"keys": []}', "no key"),
    ],
    ids=range(19),
)
def test_what_must_not_be_registered_is_refused_with_its_reason(text: bytes, word: str) -> None:
    with pytest.raises(Invalid, match=word) as caught:
        read_key_set(text)
    assert caught.value.at == "jwks"


def test_a_key_is_found_by_id_and_algorithm_while_it_is_valid() -> None:
    seconds = int(START.timestamp())
    short_lived = public(ec_key("short"), nbf=seconds, exp=seconds + 60)
    keys = read_key_set(key_set(rsa_key(), ec_key(), short_lived))
    assert key_of(keys, "rsa-1", "RS384", now=START)
    assert key_of(keys, "ec-1", "ES384", now=START)
    assert key_of(keys, "rsa-1", "ES384", now=START) is None
    assert key_of(keys, "nobody", "RS384", now=START) is None
    found = [key_of(keys, "short", "ES384", now=START + timedelta(seconds=s)) is not None for s in (-1, 0, 59, 60)]
    assert found == [False, True, True, False]
