"""Keys of clients, and what they sign with them, well or badly."""

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk, jws

from tests.core import START

Key = jwk.RSAKey | jwk.ECKey
ALGORITHMS = {"RSA": "RS384", "EC": "ES384"}


@cache
def rsa_key(kid: str = "rsa-1") -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, {"kid": kid})


@cache
def ec_key(kid: str = "ec-1", curve: str = "P-384") -> jwk.ECKey:
    return jwk.ECKey.generate_key(curve, {"kid": kid})


@cache
def weak_key() -> dict[str, Any]:
    """A public RSA key of 1024 bits."""
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    return {"kty": "RSA", "kid": "weak", "n": _number(numbers.n), "e": _number(numbers.e)}


def public(key: Key, **more: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **more}


def key_set(*keys: Key | Mapping[str, Any]) -> bytes:
    """The JWK Set of public keys."""
    return json.dumps({"keys": [key if isinstance(key, Mapping) else public(key) for key in keys]}).encode()


def claims(client_id: str, audience: str, now: datetime = START, **changes: Any) -> dict[str, Any]:
    """Those of a good assertion; a change to None leaves one out."""
    good = {"iss": client_id, "sub": client_id, "aud": audience, "jti": uuid4().hex, "exp": int(now.timestamp()) + 240}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(key: Key, said: Mapping[str, Any], **header: Any) -> str:
    """A JWT; a header of None is left out."""
    good = {"alg": ALGORITHMS[key.key_type], "typ": "JWT", "kid": key.kid}
    protected = {name: value for name, value in {**good, **header}.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[protected["alg"]], strict_check_header=False)
    return jws.serialize_compact(protected, json.dumps(said), key, registry=registry)


def unsigned(said: Mapping[str, Any], **header: Any) -> str:
    """With the algorithm `none`."""
    parts = ({"alg": "none", "typ": "JWT", "kid": "rsa-1", **header}, said)
    return ".".join(_base64(json.dumps(part).encode()) for part in parts) + "."


def mac_by_public_key(key: jwk.RSAKey, said: Mapping[str, Any]) -> str:
    """HS256, with the public key that everybody knows as the secret."""
    parts = ({"alg": "HS256", "typ": "JWT", "kid": key.kid}, said)
    content = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{content}.{_base64(hmac.digest(key.as_pem(private=False), content.encode(), 'sha256'))}"


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
