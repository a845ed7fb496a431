"""Signing in, in two steps, and out."""

from typing import Any

from flask import Response

from gateway.domain.errors import GatewayError, Throttled, Unauthenticated
from gateway.services.people import sessions, sign_in
from gateway.web.people import cookies, forms
from gateway.web.people.attempts import refusal_recorded
from gateway.web.people.cookies import Cookie
from gateway.web.people.frame import SIGN_IN, Visit, refused

HOME = "/admin/"
_SECOND = "/account/second-factor"
_SIGNED_OUT = "/account/signed-out"


def show(visit: Visit) -> Response:
    """Name and password, or the identity provider."""
    return visit.show("sign_in.html", **_context(visit, forms.onward(forms.query("next"))))


def submit(visit: Visit) -> Response:
    """The first step."""
    onward = forms.onward(visit.text("next"))
    try:
        ticket = sign_in.check_password(
            visit.desk.core,
            visit.desk.policy,
            name=visit.text("name"),
            password=visit.text("password"),
            visitor=visit.visitor,
        )
    except (Unauthenticated, Throttled) as refusal:
        return refused(visit, refusal, "sign_in.html", **_context(visit, onward))
    response = visit.go(f"{_SECOND}?next={onward}" if onward else _SECOND)
    cookies.give(visit.desk, response, Cookie.STEP, ticket)
    return response


def show_second(visit: Visit) -> Response:
    """A code of the app, or a recovery code."""
    return visit.show("second_factor.html", onward=forms.onward(forms.query("next")))


def submit_second(visit: Visit) -> Response:
    """The second step: a session begins."""
    onward = forms.onward(visit.text("next"))
    try:
        sign_in.require_local(visit.desk.policy)
        with refusal_recorded(visit, "second factor", "step"):
            proven = sign_in.proven_first(visit.desk.core, cookies.read(visit.desk, Cookie.STEP))
        here = sign_in.check_second_factor(
            visit.desk.core,
            visit.desk.policy,
            proven=proven,
            code=visit.text("code"),
            visitor=visit.visitor,
            replaced=visit.session_token,
        )
    except (Unauthenticated, Throttled) as refusal:
        return refused(visit, refusal, "second_factor.html", onward=onward)
    response = visit.go(onward or HOME)
    cookies.take(visit.desk, response, Cookie.STEP)
    cookies.give(visit.desk, response, Cookie.SESSION, here.signed_in.token)
    cookies.give(visit.desk, response, Cookie.DEVICE, here.device)
    return response


def sign_out(visit: Visit) -> Response:
    """The session ends here; an identity provider's is ended from the next page."""
    sessions.sign_out(visit.desk.core, visit.signed_in)
    is_vouched = visit.signed_in.person.issuer is not None and visit.desk.provider is not None
    response = visit.go(f"{_SIGNED_OUT}?provider=1" if is_vouched else _SIGNED_OUT)
    cookies.take(visit.desk, response, Cookie.SESSION, Cookie.STEP)
    return response


def signed_out(visit: Visit) -> Response:
    """After the sign-out; goes on to the provider's where the session came from there."""
    provider, elsewhere = visit.desk.provider, ""
    if provider is not None and forms.query("provider"):
        try:
            elsewhere = provider.sign_out_url(visit.desk.url(_SIGNED_OUT))
        except GatewayError:  # the session here has ended all the same
            elsewhere = ""
    response = visit.show("signed_out.html", elsewhere=elsewhere, sign_in=SIGN_IN)
    if elsewhere:  # a form's redirect to another site would be against our own form-action
        response.headers["Refresh"] = f"0; url={elsewhere}"
    return response


def _context(visit: Visit, onward: str) -> dict[str, Any]:
    desk = visit.desk
    return {"onward": onward, "is_local": desk.policy.has_local_accounts, "is_vouched": desk.provider is not None}
