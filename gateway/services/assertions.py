"""Signed assertions by which a client proves who it is (RFC 7523 3).

https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html, of 2.2:

| claim or header | rule |
| --- | --- |
| alg | RS384 or ES384; nothing else, `none` and shared secrets least of all |
| typ | JWT |
| kid | of one of the client's keys |
| jku | if there, the address at which the client was registered to publish its keys; it is never fetched from |
| iss, sub | both the client's id |
| aud | the URL of the token endpoint, alone: an assertion for two could be carried from one to the other |
| exp | not over, and 5 minutes ahead at the most |
| nbf, iat | if there, not in the future |
| jti | used once |

Other headers (jwk, x5c, x5u, crit ...) are refused: keys come from the registration alone. `SKEW` is how far the two
clocks may be apart.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact

from gateway.domain.errors import Unauthenticated
from gateway.services.key_sets import ALGORITHMS

LONGEST_AHEAD = timedelta(minutes=5)
SKEW = timedelta(seconds=30)
_LONGEST_ID, _LONGEST_JTI = 64, 255
_MOST_BYTES = 8 * 1024
_HEADERS = frozenset(("alg", "typ", "kid", "jku"))
_REGISTRY = JWSRegistry(algorithms=ALGORITHMS)


@dataclass(frozen=True)
class Assertion:
    """What an assertion says, its signature not looked at yet."""

    client_id: str
    algorithm: str
    kid: str
    jku: str | None
    jti: str
    expires_at: datetime
    signed: CompactSignature = field(repr=False)

    @property
    def jti_sha256(self) -> str:
        """What is remembered of it once it was used."""
        return hashlib.sha256(self.jti.encode(errors="surrogatepass")).hexdigest()

    @property
    def remembered_until(self) -> datetime:
        """Until then it might be taken again, also by a machine whose clock is late."""
        return self.expires_at + 3 * SKEW

    def is_signed_by(self, key: RSAKey | ECKey) -> bool:
        """Whether the key made its signature."""
        try:
            return validate_compact(self.signed, key, registry=_REGISTRY)
        except (JoseError, ValueError):
            return False


def read_assertion(text: str, *, audience: str, now: datetime) -> Assertion:
    """Check everything but the signature. Raises Unauthenticated: what it says is known to whoever wrote it."""
    if len(text) > _MOST_BYTES:
        raise Unauthenticated("the client assertion is too long")
    try:
        signed = extract_compact(text.encode(), registry=_REGISTRY)
        claims = json.loads(signed.payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError, AttributeError) as exc:
        raise Unauthenticated("the client assertion is not a signed JWT") from exc
    header: Any = signed.headers()  # whatever JSON was there
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Unauthenticated("the client assertion's header and claims are JSON objects")
    _check_header(header)
    expires_at = _check_times(claims, now)
    if claims.get("aud") != audience:
        raise Unauthenticated(f"the client assertion's aud is not {audience}")
    client_id, jti = _text(claims, "iss", _LONGEST_ID), _text(claims, "jti", _LONGEST_JTI)
    if claims.get("sub") != client_id:
        raise Unauthenticated("iss and sub of the client assertion are both the client id")
    return Assertion(client_id, header["alg"], header["kid"], header.get("jku"), jti, expires_at, signed)


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("alg") not in ALGORITHMS:
        raise Unauthenticated(f"the client assertion is signed by {' or '.join(sorted(ALGORITHMS))}")
    if str(header.get("typ", "")).upper() != "JWT":
        raise Unauthenticated("the client assertion's typ is JWT")
    if header.keys() - _HEADERS:
        raise Unauthenticated(f"the client assertion's header has {', '.join(sorted(_HEADERS))} and nothing else")
    if not isinstance(header.get("kid"), str):
        raise Unauthenticated("the client assertion's header names its key in kid")
    if not isinstance(header.get("jku", ""), str):
        raise Unauthenticated("the client assertion's jku is no URL")


def _check_times(claims: Mapping[str, Any], now: datetime) -> datetime:
    expires_at = _moment(claims, "exp")
    if expires_at is None:
        raise Unauthenticated("the client assertion has no exp")
    if expires_at <= now - SKEW:
        raise Unauthenticated("the client assertion has expired")
    if expires_at > now + LONGEST_AHEAD + SKEW:
        minutes = int(LONGEST_AHEAD.total_seconds() // 60)
        raise Unauthenticated(f"the client assertion's exp is {minutes} minutes ahead at the most")
    for name in ("nbf", "iat"):
        moment = _moment(claims, name)
        if moment is not None and moment > now + SKEW:
            raise Unauthenticated(f"the client assertion's {name} is in the future")
    return expires_at


def _moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    """RFC 7519 2, NumericDate."""
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise Unauthenticated(f"the client assertion's {name} is not a number of seconds")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise Unauthenticated(f"the client assertion's {name} is no moment") from exc


def _text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise Unauthenticated(f"the client assertion has a {name} of 1 to {longest} characters")
    return value
