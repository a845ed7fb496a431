"""Everything below /account."""

from pathlib import Path

from flask import Blueprint, Response

from gateway.web.edge import Edge
from gateway.web.people import account, enrolment, openid, sign_in
from gateway.web.people.desk import Desk
from gateway.web.people.frame import EVERYBODY, SIGNED_IN, Page, blueprint

_STYLE = (Path(__file__).parent / "style.css").read_bytes()
_POST = ("POST",)

PAGES = (
    Page("/style.css", "style", lambda _visit: Response(_STYLE, mimetype="text/css"), EVERYBODY),
    Page("/sign-in", "sign_in", sign_in.show, EVERYBODY),
    Page("/sign-in", "sign_in_submit", sign_in.submit, EVERYBODY, _POST, is_door=True),
    Page("/second-factor", "second_factor", sign_in.show_second, EVERYBODY),
    Page("/second-factor", "second_factor_submit", sign_in.submit_second, EVERYBODY, _POST, is_door=True),
    Page("/openid", "openid", openid.begin, EVERYBODY),
    Page("/openid/answer", "openid_answer", openid.answer, EVERYBODY, is_door=True),
    Page("/enrolment", "enrolment", enrolment.show, EVERYBODY),
    Page("/enrolment", "enrolment_submit", enrolment.submit, EVERYBODY, _POST, is_door=True),
    Page("/enrolment/app", "enrolment_finish", enrolment.finish, EVERYBODY, _POST, is_door=True),
    Page("/signed-out", "signed_out", sign_in.signed_out, EVERYBODY),
    Page("", "account", account.show, SIGNED_IN),
    Page("/password", "password", account.change_password, SIGNED_IN, _POST),
    Page("/recovery-codes", "recovery_codes", account.renew_recovery_codes, SIGNED_IN, _POST),
    Page("/end-session", "end_session", account.end_session, SIGNED_IN, _POST),
    Page("/sign-out", "sign_out", sign_in.sign_out, SIGNED_IN, _POST),
)


def account_pages(edge: Edge, desk: Desk) -> Blueprint:
    """Signing in and out, enrolment, and a person's own account."""
    return blueprint("account", __name__, "/account", edge, desk, PAGES)
