"""Public keys of clients as they arrive in a JWK Set (RFC 7517 5), by file or from an address of theirs.

What can be used here: RSA of 2048 to 4096 bits for RS384, P-384 for ES384, each with a `kid`
(https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys).
Other public keys of the set are passed over: it may serve others as well.
"""

import json
import math
import warnings
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from gateway.domain.errors import Invalid
from gateway.store.clients import KeySet

MOST_BYTES = 64 * 1024
MOST_KEYS = 20
ALGORITHMS = ("ES384", "RS384")
"""https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html: a server has to take both."""

_SMALLEST_RSA_BITS, _LARGEST_RSA_BITS = 2048, 4096
_LARGEST_EXPONENT = 2**32
_LONGEST_KID = 128
_SECRETS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
"""RFC 7518 6.2.2, 6.3.2, 6.4.1: what makes a JWK a private or a shared one."""

_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_LIFETIME = ("nbf", "exp")
"""Not of RFC 7517; where a set has them they are NumericDates, as in OpenID Federation 1.0."""


def read_key_set(text: bytes) -> KeySet:
    """The usable keys, reduced to what is used of them.

    Raises Invalid: it is no JWK Set, holds a private or a weak key, two keys of one id, or none that can be used.
    """
    keys = _keys(text)
    if any(_SECRETS & key.keys() for key in keys):
        raise Invalid("the JWK Set holds a private or shared key; make a new one, and send public keys only", at="jwks")
    usable = [_reduced(key) for key in keys if _is_usable(key)]
    if not usable:
        sentence = "no key of the JWK Set can be used: RSA of 2048 to 4096 bits, or EC on P-384, each with a kid"
        raise Invalid(sentence, at="jwks")
    if max(Counter(key["kid"] for key in usable).values()) > 1:
        raise Invalid("two keys of the JWK Set have the same kid", at="jwks")
    for key in usable:
        imported(key)
    return {"keys": usable}


def key_of(keys: KeySet, kid: str, algorithm: str, *, now: datetime) -> RSAKey | ECKey | None:
    """The key of that id for that algorithm, while it is valid; None when there is none."""
    found = next((key for key in keys["keys"] if key["kid"] == kid and _algorithm(key) == algorithm), None)
    return imported(found) if found is not None and is_valid(found, now) else None


def is_valid(key: Mapping[str, Any], now: datetime) -> bool:
    """Whether its own `nbf` and `exp`, where it has them, are kept."""
    moment = now.timestamp()
    return bool(key.get("nbf", moment) <= moment) and bool(moment < key.get("exp", math.inf))


def valid_until(key: Mapping[str, Any]) -> datetime | None:
    """Its own `exp`; None where it has none."""
    return datetime.fromtimestamp(key["exp"], UTC) if "exp" in key else None


def thumbprint(key: Mapping[str, Any]) -> str:
    """RFC 7638, by which two people compare a key."""
    return str(imported(key).thumbprint())


def imported(key: Mapping[str, Any]) -> RSAKey | ECKey:
    """Raises Invalid for a key that is weak or none at all; its id is not repeated."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its word on weak keys: ours follows, as an error
            read: RSAKey | ECKey = ECKey.import_key(dict(key)) if key["kty"] == "EC" else RSAKey.import_key(dict(key))
            public = read.public_key
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise Invalid("a key of the JWK Set is damaged", at="jwks") from exc
    if isinstance(read, RSAKey):
        numbers = read.public_key.public_numbers()
        if not _SMALLEST_RSA_BITS <= public.key_size <= _LARGEST_RSA_BITS or numbers.e >= _LARGEST_EXPONENT:
            raise Invalid(
                f"an RSA key of the JWK Set has {public.key_size} bits; it takes {_SMALLEST_RSA_BITS} to "
                f"{_LARGEST_RSA_BITS}, and an exponent below 2^32",
                at="jwks",
            )
    return read


def _keys(text: bytes) -> list[dict[str, Any]]:
    if len(text) > MOST_BYTES:
        raise Invalid(f"the JWK Set has more than {MOST_BYTES} bytes", at="jwks")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Invalid("the JWK Set is not JSON", at="jwks") from exc
    keys = parsed.get("keys") if isinstance(parsed, dict) else None
    if isinstance(parsed, dict) and _SECRETS & parsed.keys():
        keys = [parsed]  # one key alone, and a private one: say so before anything else
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise Invalid('a JWK Set is an object with a list of keys: {"keys": [...]}', at="jwks")
    if len(keys) > MOST_KEYS:
        raise Invalid(f"the JWK Set has more than {MOST_KEYS} keys", at="jwks")
    return keys


def _is_usable(key: Mapping[str, Any]) -> bool:
    kid, operations = key.get("kid"), key.get("key_ops", ["verify"])
    has_id = isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID and kid.isprintable()
    has_times = all(type(key.get(name, 0)) in (int, float) and 0 <= key.get(name, 0) < 2**33 for name in _LIFETIME)
    is_for_signatures = key.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    algorithm = _algorithm(key)
    is_ours = algorithm is not None and key.get("alg", algorithm) == algorithm
    return has_id and has_times and is_for_signatures and is_ours


def _algorithm(key: Mapping[str, Any]) -> str | None:
    """What the key is for here."""
    if key.get("kty") == "RSA":
        return "RS384"
    return "ES384" if key.get("kty") == "EC" and key.get("crv") == "P-384" else None


def _reduced(key: Mapping[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in ("kty", "kid", *_PUBLIC[key["kty"]], *_LIFETIME) if name in key}
