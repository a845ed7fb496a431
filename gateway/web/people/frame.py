"""The frame of every page for people: who is asking, whether they may, a form's checks, the headers of each answer."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from gateway.domain.errors import Forbidden, GatewayError, Transient
from gateway.domain.people import Permission, Role, who_may
from gateway.domain.sign_in import Visitor
from gateway.services.denials import EDGE, Denial
from gateway.services.people import sessions
from gateway.services.people.sessions import Current
from gateway.services.people.sign_in import NotRight
from gateway.web.denied import remember
from gateway.web.edge import Edge
from gateway.web.errors import RETRY_AFTER_S, TABLE, note_unexpected
from gateway.web.peer import caller_address
from gateway.web.people import cookies, forms
from gateway.web.people.cookies import Cookie
from gateway.web.people.desk import Desk

SIGN_IN = "/account/sign-in"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # no-referrer would make browsers send `Origin: null` with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_SECRET_BYTES = 32
_REASONS = {HTTPStatus.FORBIDDEN: "forbidden", HTTPStatus.TOO_MANY_REQUESTS: "throttled"}
_REASONS_OF_DOORS = _REASONS | {
    HTTPStatus.UNAUTHORIZED: "login",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-long",
}
"""Where people come in whatever is refused leaves a row; what has no reason of its own is `invalid`."""
EVERYBODY, SIGNED_IN = "everybody", "signed-in"
"""Who may see a page that asks for no permission."""
Needs = Permission | str


@dataclass(frozen=True)
class Visit:
    """One request of a browser. `current` is None where nobody is signed in; `fields` are a checked form's."""

    desk: Desk
    edge: Edge
    current: Current | None
    form_secret: str = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def signed_in(self) -> Current:
        """Who is signed in, on a page that needs it."""
        if self.current is None:
            raise Forbidden("sign in first")
        return self.current

    @property
    def visitor(self) -> Visitor:
        """Where the attempt comes from."""
        return Visitor(caller_address(self.edge), cookies.read(self.desk, Cookie.DEVICE))

    @property
    def session_token(self) -> str:
        """The secret of the browser's session; '' for none."""
        return cookies.read(self.desk, Cookie.SESSION)

    def text(self, name: str) -> str:
        """A field of the form; '' where it is missing."""
        return self.fields.get(name, "")

    def show(self, template: str, *, status: int = HTTPStatus.OK, problem: str = "", **context: Any) -> Response:
        """A page; `problem` is what was wrong with what the browser sent."""
        person = self.current.person if self.current else None
        html = render_template(
            template,
            at=self.desk.path,
            person=person,
            form_token=forms.token_of(self.form_secret),
            may=person.may if person else lambda _permission: False,
            Permission=Permission,
            problem=problem,
            **context,
        )
        return Response(html, status, content_type="text/html; charset=utf-8")

    def go(self, path: str) -> Response:
        """Send the browser to a page of ours, by GET (RFC 9110 15.4.4)."""
        return _redirected(self.desk.path(path))


View = Callable[..., Response]


@dataclass(frozen=True)
class Page:
    """A view at a path, and who may see it; `view` is called with the visit and what the path holds.

    `is_door`: a person comes in by it, or enrols, and each refusal leaves a row.
    """

    path: str
    name: str
    view: View
    needs: Needs
    methods: tuple[str, ...] = ("GET",)
    is_door: bool = False


def blueprint(name: str, package: str, prefix: str, edge: Edge, desk: Desk, pages: Iterable[Page]) -> Blueprint:
    """The pages below a prefix, each behind the same checks."""
    routes = Blueprint(name, package, template_folder="templates", url_prefix=prefix)
    for page in pages:
        view = partial(_answer, edge, desk, page)
        routes.add_url_rule(page.path, page.name, view, methods=list(page.methods), strict_slashes=False)
    routes.after_request(_protect)
    routes.after_request(partial(_remember_refusal, edge))
    routes.register_error_handler(GatewayError, partial(_refused, edge, desk))
    routes.register_error_handler(HTTPException, partial(_not_served, edge, desk))
    routes.register_error_handler(Exception, partial(_failed, edge, desk))
    return routes


def refused(visit: Visit, error: GatewayError, template: str, **context: Any) -> Response:
    """The page again, with what was wrong; its status says it too."""
    if isinstance(error, NotRight):
        g.is_refusal_recorded = True
    response = visit.show(template, status=_status(error), problem=str(error), **context)
    if isinstance(error, Transient):
        response.headers["Retry-After"] = str(round(error.retry_after_s or RETRY_AFTER_S))
    return response


def _answer(edge: Edge, desk: Desk, page: Page, **of_path: str) -> Response:
    g.is_door = page.is_door
    origin, token = desk.origin, cookies.read(desk, Cookie.SESSION)
    current = sessions.recognise(desk.core, desk.policy, token) if token else None
    if current is not None:
        g.client_id = current.person.actor  # for the access log
    if current is None and page.needs != EVERYBODY:
        return _to_sign_in(desk)
    if isinstance(page.needs, Permission) and current is not None and not current.person.may(page.needs):
        raise Forbidden(f"you may not see this page: it is for {_named(who_may(page.needs))}")
    kept = token if current else cookies.read(desk, Cookie.FORMS)
    secret = kept or secrets.token_urlsafe(_SECRET_BYTES)
    fields = forms.read_checked(origin, kept) if request.method == "POST" else {}
    response = page.view(Visit(desk, edge, current, secret, fields), **of_path)
    if not kept:
        cookies.give(desk, response, Cookie.FORMS, secret)
    return response


def _to_sign_in(desk: Desk) -> Response:
    wanted = forms.onward(request.path) if request.method == "GET" else ""
    return _redirected(desk.path(f"{SIGN_IN}?next={wanted}" if wanted else SIGN_IN))


def _redirected(path: str) -> Response:
    response = redirect(path, HTTPStatus.SEE_OTHER, Response=Response)
    assert isinstance(response, Response)  # noqa: S101 - it is what was asked for
    return response


def _named(roles: tuple[Role, ...]) -> str:
    return " and ".join(f"a {role.replace('-', ' ')}" if role[0] != "a" else f"an {role}" for role in roles)


def _remember_refusal(edge: Edge, response: Response) -> Response:
    """The response as it is. A sign-in that fails leaves a row where it is looked at (`user.sign-in`)."""
    reason = _reason(HTTPStatus(response.status_code))
    if reason and not g.get("is_refusal_recorded"):
        actor = g.get("client_id") or EDGE
        page = str(request.endpoint)
        remember(edge, Denial("page.denied", reason, caller_address(edge), f"page/{page}", actor))
    return response


def _reason(status: HTTPStatus) -> str:
    """Why it was refused; '' for what leaves no row."""
    if not g.get("is_door"):
        return _REASONS.get(status, "")
    is_refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return _REASONS_OF_DOORS.get(status, "invalid") if is_refused else ""


def _protect(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def _status(error: GatewayError) -> int:
    found = next((status for kind, status, _ in TABLE if isinstance(error, kind)), None)
    return found or HTTPStatus.INTERNAL_SERVER_ERROR


def _refused(edge: Edge, desk: Desk, error: GatewayError) -> Response:
    if _status(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _failed(edge, desk, error)
    return refused(_bare(edge, desk), error, "message.html", title="This was refused")


def _not_served(edge: Edge, desk: Desk, error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _failed(edge, desk, error)
    told = error.description if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else None
    sentence = told or HTTPStatus(status).phrase
    return _bare(edge, desk).show("message.html", status=status, title="This was refused", problem=sentence)


def _failed(edge: Edge, desk: Desk, error: Exception) -> Response:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _bare(edge, desk).show("message.html", status=status, title="This failed", problem=note_unexpected(error))


def _bare(edge: Edge, desk: Desk) -> Visit:
    """For a page without a form, and without a word of who is signed in."""
    return Visit(desk, edge, None, "")
