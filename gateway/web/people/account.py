"""A person's own account: sessions, password, recovery codes."""

from typing import Any

from flask import Response

from gateway.domain.errors import GatewayError, Invalid, Throttled, Unauthenticated
from gateway.services.people import account, sessions
from gateway.web.people import cookies, forms
from gateway.web.people.cookies import Cookie
from gateway.web.people.frame import Visit, refused

_ACCOUNT = "/account"


def show(visit: Visit) -> Response:
    """Everything about oneself."""
    return visit.show("account.html", **_context(visit))


def change_password(visit: Visit) -> Response:
    """Every session ends but a new one here."""
    try:
        signed_in = account.change_password(
            visit.desk.core,
            visit.desk.policy,
            visit.signed_in,
            earlier=visit.text("earlier"),
            chosen=forms.chosen_password(visit.fields),
            visitor=visit.visitor,
        )
    except (Invalid, Unauthenticated, Throttled) as refusal:
        return _again(visit, refusal)
    response = visit.go(_ACCOUNT)
    cookies.take(visit.desk, response, Cookie.DEVICE)
    cookies.give(visit.desk, response, Cookie.SESSION, signed_in.token)
    return response


def renew_recovery_codes(visit: Visit) -> Response:
    """New ones, shown this once."""
    try:
        codes = account.renew_recovery_codes(
            visit.desk.core, visit.desk.policy, visit.signed_in, code=visit.text("code"), visitor=visit.visitor
        )
    except (Unauthenticated, Throttled) as refusal:
        return _again(visit, refusal)
    return visit.show("recovery_codes.html", codes=codes, onward=_ACCOUNT, done="I have kept them")


def end_session(visit: Visit) -> Response:
    """One of one's own sessions."""
    current = visit.signed_in
    sessions.end(visit.desk.core, current, visit.text("session"))
    return visit.go(_ACCOUNT)


def _again(visit: Visit, refusal: GatewayError) -> Response:
    return refused(visit, refusal, "account.html", **_context(visit))


def _context(visit: Visit) -> dict[str, Any]:
    current = visit.signed_in
    found = sessions.listed(visit.desk.core, visit.desk.policy, current.person)
    return {"sessions": found, "own_session": current.session.id, "is_local": current.person.issuer is None}
