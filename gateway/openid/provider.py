"""Authorization code flow with PKCE: whom the provider vouches for (OpenID Connect Core 1.0, 3.1; RFC 7636)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError

from gateway.domain.errors import Unauthenticated
from gateway.domain.people import Vouched
from gateway.openid.discovery import Discovery
from gateway.openid.exchange import Exchange

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures with the provider's own key; never `none`, nor one with a secret that we have too."""
_TOKEN_ERRORS = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type")
"""RFC 6749, 5.2."""
_SCOPE = "openid"
_LEEWAY_S = 30
_LONGEST_SUBJECT = 255  # Core 1.0, section 2
_REFUSED = "your identity provider's answer was refused"


@dataclass(frozen=True)
class ProviderSettings:
    """What the settings say of the provider and of what it has to prove.

    `required_amr`: one of them has to be among the methods that the person proved it by (RFC 8176), empty = any.
    `max_age_s`: how long ago, 0 = any time.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    ca_file: str
    roles_claim: str
    required_amr: tuple[str, ...]
    max_age_s: int


@dataclass(frozen=True)
class Departure:
    """Where the browser is sent, and what its answer is held against."""

    url: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class Provider:
    """One for a process: what it has read of the provider is kept."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._exchange = Exchange(settings.ca_file)
        self._discovery = Discovery(settings.issuer, self._exchange)

    def depart(self, redirect_uri: str) -> Departure:
        """Fresh state, nonce and verifier, and the URL that asks for a code. Raises Unreachable."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {"max_age": self.settings.max_age_s} if self.settings.max_age_s else {}
        url, _ = self._client(redirect_uri).create_authorization_url(
            self._discovery.endpoints().authorization, state=state, nonce=nonce, code_verifier=verifier, **asked
        )
        return Departure(url, state, nonce, verifier)

    def vouch(self, *, code: str, redirect_uri: str, nonce: str, verifier: str, now: datetime) -> Vouched:
        """Exchange the code for an ID token and check it. Raises Unauthenticated, Unreachable."""
        try:
            token = self._client(redirect_uri).fetch_token(
                self._discovery.endpoints().token,
                grant_type="authorization_code",
                code=code,
                redirect_uri=redirect_uri,
                code_verifier=verifier,
            )
            claims = self._claims(token, nonce, now)
        except (OAuth2Error, JoseError, httpx.HTTPError, ValueError, TypeError, KeyError) as exc:
            raise Unauthenticated(f"{_REFUSED} ({_reason(exc)}); begin anew") from exc
        self._require_strength(claims, now)
        return Vouched(self.settings.issuer, _subject(claims), _groups(claims.get(self.settings.roles_claim)))

    def sign_out_url(self, back_to: str) -> str:
        """Where the browser ends its session at the provider; '' where it has no such endpoint. Raises Unreachable.

        https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout
        """
        endpoint = self._discovery.endpoints().end_session
        query = urlencode({"client_id": self.settings.client_id, "post_logout_redirect_uri": back_to})
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}" if endpoint else ""

    def _client(self, redirect_uri: str) -> OAuth2Client:
        return OAuth2Client(
            self._exchange,
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret or None,
            scope=_SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )

    def _claims(self, token: Mapping[str, Any], nonce: str, now: datetime) -> CodeIDToken:
        """Signature, issuer, audience, times, nonce, azp and at_hash (3.1.3.7, 3.1.3.8)."""
        id_token, settings = str(token["id_token"]), self.settings
        key_id = jws.extract_compact(id_token.encode()).headers().get("kid")
        decoded = jwt.decode(id_token, self._discovery.keys(key_id), algorithms=_ALGORITHMS)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": settings.issuer},
                "aud": {"essential": True, "value": settings.client_id},
                "exp": {"essential": True},
            },
            {
                "nonce": nonce,
                "client_id": settings.client_id,
                "access_token": token.get("access_token"),
                "max_age": settings.max_age_s,
            },
        )
        claims.validate(now=round(now.timestamp()), leeway=_LEEWAY_S)
        return claims

    def _require_strength(self, claims: Mapping[str, Any], now: datetime) -> None:
        """What the settings ask for beyond a good token (3.1.2.1: max_age; RFC 8176: amr)."""
        wanted, max_age_s = self.settings.required_amr, self.settings.max_age_s
        if wanted and not set(wanted) & set(_groups(claims.get("amr"))):
            raise Unauthenticated(f"{_REFUSED}: it does not say that you proved it by {' or '.join(wanted)}")
        if max_age_s and now.timestamp() - float(claims["auth_time"]) > max_age_s + _LEEWAY_S:
            raise Unauthenticated(f"{_REFUSED}: you proved it longer than {max_age_s} s ago; sign in there anew")


def _reason(error: Exception) -> str:
    """Of what the other side says only what the standard defines; else the kind of error."""
    said = error.error if isinstance(error, OAuth2Error) else ""
    return said if said in _TOKEN_ERRORS else type(error).__name__


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise Unauthenticated(f"{_REFUSED}: it says nothing usable of who you are")
    return subject


def _groups(claim: object) -> tuple[str, ...]:
    """The values of a claim that is one text or a list of them."""
    if isinstance(claim, str):
        return (claim,)
    return tuple(one for one in claim if isinstance(one, str)) if isinstance(claim, list) else ()
