"""Signing in through the identity provider: there, and back with a code."""

import hmac
from http import HTTPStatus

from flask import Response, g, redirect

from gateway.domain.errors import NotFound, Unauthenticated
from gateway.domain.people import Vouched
from gateway.services.people import tickets, vouching
from gateway.services.people.sessions import SignedIn
from gateway.services.people.tickets import TicketKind
from gateway.web.people import cookies, forms
from gateway.web.people.attempts import refusal_recorded
from gateway.web.people.cookies import Cookie
from gateway.web.people.desk import Vouching
from gateway.web.people.frame import Visit
from gateway.web.people.sign_in import HOME

_BY = "openid"
ANSWER = "/account/openid/answer"
_LONGEST_CODE = 8 * 1024
"""RFC 6749 4.1.2 leaves the size open; some providers put a whole encrypted token into it."""


def begin(visit: Visit) -> Response:
    """To the provider; what its answer is held against stays in this browser, sealed."""
    departure = _provider(visit).depart(visit.desk.url(ANSWER))
    values = {"state": departure.state, "nonce": departure.nonce, "verifier": departure.verifier}
    values["next"] = forms.onward(forms.query("next"))
    response = redirect(departure.url, HTTPStatus.SEE_OTHER, Response=Response)
    assert isinstance(response, Response)  # noqa: S101 - it is what was asked for
    cookies.give(visit.desk, response, Cookie.STEP, tickets.issue(visit.desk.core, TicketKind.OPENID, values))
    return response


def answer(visit: Visit) -> Response:
    """Back again (OpenID Connect Core 1.0, 3.1.2.5, 3.1.2.6): a session begins, or a page says why none does."""
    provider, desk = _provider(visit), visit.desk
    with refusal_recorded(visit, _BY, "step"):
        values = tickets.read(desk.core, TicketKind.OPENID, cookies.read(desk, Cookie.STEP))
    with refusal_recorded(visit, _BY, "state"):
        if not hmac.compare_digest(forms.query("state").encode(), values["state"].encode()):
            raise Unauthenticated("this answer of your identity provider is to another question; begin anew")
    with refusal_recorded(visit, _BY, "no code"):
        code = forms.query("code", longest=_LONGEST_CODE)
        if not code:
            raise Unauthenticated("your identity provider did not let you in; begin anew")
    with refusal_recorded(visit, _BY, "answer"):
        vouched = provider.vouch(
            code=code,
            redirect_uri=desk.url(ANSWER),
            nonce=values["nonce"],
            verifier=values["verifier"],
            now=desk.core.now(),
        )
    signed_in = _signed_in(visit, vouched)
    response = visit.go(forms.onward(values["next"]) or HOME)
    cookies.take(desk, response, Cookie.STEP)
    cookies.give(desk, response, Cookie.SESSION, signed_in.token)
    return response


def _signed_in(visit: Visit, vouched: Vouched) -> SignedIn:
    desk = visit.desk
    try:
        return vouching.sign_in(
            desk.core, desk.policy, vouched, desk.role_map, visitor=visit.visitor, replaced=visit.session_token
        )
    except vouching.NotAdmitted:
        g.is_refusal_recorded = True  # with what was wrong: not once more as a page
        raise


def _provider(visit: Visit) -> Vouching:
    if visit.desk.provider is None:
        raise NotFound("no identity provider is set up here")
    return visit.desk.provider
