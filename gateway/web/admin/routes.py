"""Everything below /admin: each page names the permission that it needs."""

from flask import Blueprint

from gateway.domain.people import Permission
from gateway.web.admin import audit, home, recalls, users, waits
from gateway.web.edge import Edge
from gateway.web.people.desk import Desk
from gateway.web.people.frame import SIGNED_IN, Page, blueprint

_POST = ("POST",)

PAGES = (
    Page("/", "home", home.show, SIGNED_IN),
    Page("/waits", "waits", waits.show, Permission.SEE_WAITS),
    Page("/recalls", "recalls", recalls.show, Permission.SEE_RECALLS),
    Page("/audit", "audit", audit.show, Permission.SEE_AUDIT),
    Page("/audit", "audit_search", audit.search, Permission.SEE_AUDIT, _POST),
    Page("/disclosures", "disclosures", audit.show_disclosures, Permission.SEE_AUDIT),
    Page("/disclosures", "disclosures_search", audit.search_disclosures, Permission.SEE_AUDIT, _POST),
    Page("/disclosures.csv", "disclosures_file", audit.give_disclosures, Permission.SEE_AUDIT, _POST),
    Page("/people", "people", users.show, Permission.SEE_PEOPLE),
    Page("/<path:anything_else>", "nothing", home.nothing, SIGNED_IN),
)


def admin_pages(edge: Edge, desk: Desk) -> Blueprint:
    """What the roles allow."""
    return blueprint("admin", __name__, "/admin", edge, desk, PAGES)
