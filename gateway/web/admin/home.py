"""The first page after signing in."""

from flask import Response

from gateway.domain.errors import NotFound
from gateway.web.people.frame import Visit


def show(visit: Visit) -> Response:
    """What one's roles allow, each with a link."""
    return visit.show("home.html")


def nothing(visit: Visit, **_of_path: str) -> Response:
    """An address that nobody serves."""
    raise NotFound(f"there is no such page; {visit.desk.path('/admin')} lists those that your roles allow")
