"""Enrolment: a code of the administrator, a password, an app for codes, and the recovery codes."""

import io

import segno
from flask import Response, g
from markupsafe import Markup

from gateway.domain.errors import GatewayError, Invalid, Unauthenticated
from gateway.services.denials import Denial
from gateway.services.people import enrolment
from gateway.web.denied import remember
from gateway.web.people import cookies, forms
from gateway.web.people.cookies import Cookie
from gateway.web.people.frame import Visit, refused

_MODULE_PIXELS = 5


def show(visit: Visit) -> Response:
    """The code and a password of one's own."""
    return visit.show("enrolment.html")


def submit(visit: Visit) -> Response:
    """The first step: the secret of the app is shown, this once."""
    try:
        chosen = forms.chosen_password(visit.fields)
        factor = enrolment.choose_password(visit.desk.core, visit.desk.policy, code=visit.text("code"), password=chosen)
    except (Unauthenticated, Invalid) as refusal:
        _remember(visit, refusal)
        return refused(visit, refusal, "enrolment.html")
    response = visit.show("app.html", picture=_picture(factor.uri), secret=factor.secret)
    cookies.give(visit.desk, response, Cookie.STEP, factor.ticket)
    return response


def finish(visit: Visit) -> Response:
    """The second step; the recovery codes are shown, this once."""
    try:
        codes = enrolment.finish(
            visit.desk.core,
            visit.desk.policy,
            ticket=cookies.read(visit.desk, Cookie.STEP),
            code=visit.text("code"),
        )
    except Unauthenticated as refusal:
        _remember(visit, refusal)
        return refused(visit, refusal, "app.html", picture="", secret="")
    response = visit.show("recovery_codes.html", codes=codes, onward="/account/sign-in", done="Sign in")
    cookies.take(visit.desk, response, Cookie.STEP)
    return response


def _remember(visit: Visit, refusal: GatewayError) -> None:
    if isinstance(refusal, Unauthenticated):
        g.is_refusal_recorded = True
        remember(visit.edge, Denial("user.enrol", "code", visit.visitor.address))


def _picture(uri: str) -> Markup:
    """A QR code as SVG inside the page: nothing is asked of anybody else, and nothing is kept."""
    drawn = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, svgns=True, scale=_MODULE_PIXELS, light="white", title="QR code for your app"
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704 - segno's own drawing
