"""The users there are, for administrators, who change them by `consilium user`."""

from flask import Response

from gateway.services.people import registry
from gateway.web.people.frame import Visit


def show(visit: Visit) -> Response:
    """By name, the disabled ones too."""
    return visit.show("users.html", users=registry.listed(visit.desk.core))
