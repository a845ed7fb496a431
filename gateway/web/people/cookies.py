"""Our cookies: never read by scripts, never sent along by other sites' forms, and by https bound to our host.

`__Host-` is kept by browsers: Secure, no Domain, Path=/ (draft-ietf-httpbis-rfc6265bis 4.1.3.2). Plain http is for a
gateway on the same machine, and there a cookie has another name.
"""

from enum import StrEnum

from flask import Response, request

from gateway.services.people.sign_in import DEVICE_KEPT
from gateway.services.people.tickets import LIFETIME
from gateway.web.people.desk import Desk

_LONGEST = 4096


class Cookie(StrEnum):
    """What each is for: a session, the forms before one, the step of signing in, a browser that was here before."""

    SESSION = "session"
    FORMS = "forms"
    STEP = "step"
    DEVICE = "device"


_MAX_AGE_S = {Cookie.STEP: int(LIFETIME.total_seconds()), Cookie.DEVICE: int(DEVICE_KEPT.total_seconds())}
"""The others end with the browser."""


def read(desk: Desk, cookie: Cookie) -> str:
    """Its value; '' for none."""
    return request.cookies.get(_name(desk, cookie), "")[:_LONGEST]


def give(desk: Desk, response: Response, cookie: Cookie, value: str) -> None:
    """Have the browser keep it."""
    response.set_cookie(
        _name(desk, cookie),
        value,
        max_age=_MAX_AGE_S.get(cookie),
        path="/",
        secure=desk.is_secure,
        httponly=True,
        samesite="Lax",
    )


def take(desk: Desk, response: Response, *taken: Cookie) -> None:
    """Have the browser forget them."""
    for cookie in taken:
        response.delete_cookie(_name(desk, cookie), path="/", secure=desk.is_secure, httponly=True, samesite="Lax")


def _name(desk: Desk, cookie: Cookie) -> str:
    return f"{'__Host-' if desk.is_secure else ''}consilium-{cookie}"
