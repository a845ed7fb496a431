"""The first page after signing in."""

from flask import Response

from gateway.domain.errors import NotFound
from gateway.web.people.frame import Visit


def show(visit: Visit) -> Response:
    """What one's roles allow, each with a link."""
    return visit.show("home.html")


def nothing(_visit: Visit, anything_else: str) -> Response:
    """An address that nobody serves."""
    raise NotFound(f"nothing is at this address of {len(anything_else)} characters")
