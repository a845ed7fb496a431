"""The bytes of a request, never more than may come, whether their length was announced or not."""

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge


def read_bytes(most_bytes: int, *, is_kept: bool = False) -> bytes:
    """The whole body; reading stops one byte after the limit. `is_kept` leaves it there for `request.form`.

    Raises RequestEntityTooLarge (413), which names the limit.
    """
    if (request.content_length or 0) > most_bytes:
        raise _too_large(most_bytes)
    # Without a length (RFC 9112 7.1) werkzeug takes its limit for the end: one byte more tells a body that is cut off.
    request.max_content_length = most_bytes + 1
    body = request.get_data(cache=is_kept)
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return body


def read_form(most_bytes: int) -> MultiDict[str, str]:
    """The form in the body. Raises RequestEntityTooLarge (413), which names the limit."""
    read_bytes(most_bytes, is_kept=True)
    return request.form


def _too_large(most_bytes: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"the body may have {most_bytes} bytes at the most")
