"""What browsers send: checked before anything looks at it."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from flask import request

from gateway.domain.errors import Forbidden, Invalid
from gateway.web.body import read_bytes

TOKEN_FIELD = "form_token"  # noqa: S105 - the name of a field
_MOST_BODY_BYTES = 16 * 1024
_LONGEST = 1024
_ONWARD = re.compile(r"/(?:admin|account|review)(?:/[a-z0-9-]+)*/?")


def token_of(secret: str) -> str:
    """What a form has to repeat: it follows from a secret that only this browser has, and does not give it away."""
    return hmac.new(secret.encode(), b"consilium form", hashlib.sha256).hexdigest()


def read_checked(origin: str, secret: str) -> Mapping[str, str]:
    """The fields of a form of ours, sent from a page of ours. Raises Forbidden, Invalid, RequestEntityTooLarge.

    Both are asked: the Origin that the browser states (RFC 6454 7), and the token in the form.
    """
    if request.headers.get("Origin") != origin:
        raise Forbidden("this form was not sent from a page of the gateway")
    if request.mimetype != "application/x-www-form-urlencoded":
        raise Invalid("a form is application/x-www-form-urlencoded")
    _require_text(read_bytes(_MOST_BODY_BYTES, is_kept=True))
    fields = {name: _plain(value) for name, value in request.form.items()}
    given = fields.get(TOKEN_FIELD, "")
    if not secret or not hmac.compare_digest(given.encode(), token_of(secret).encode()):
        raise Forbidden("this form is of an earlier visit, or of another browser; open the page again and repeat it")
    return fields


def chosen_password(fields: Mapping[str, str]) -> str:
    """A new password, typed twice alike. Raises Invalid."""
    if fields.get("password", "") != fields.get("again", ""):
        raise Invalid("the two passwords differ", at="again")
    return fields.get("password", "")


def query(name: str, *, longest: int = _LONGEST) -> str:
    """A parameter of the address; '' for none. Raises Invalid."""
    return _plain(request.args.get(name, ""), longest)


def onward(path: str) -> str:
    """The path, if it is one of our pages for people; else ''. Nobody is sent to another site (CWE-601)."""
    return path if _ONWARD.fullmatch(path) else ""


def _plain(value: str, longest: int = _LONGEST) -> str:
    if len(value) > longest or any(ord(one) < ord(" ") for one in value):
        raise Invalid("a field holds more than fits, or control characters")
    return value


def _require_text(body: bytes) -> None:
    try:
        unquote_to_bytes(body).decode()
    except UnicodeDecodeError as exc:
        raise Invalid("a form is written in UTF-8") from exc
