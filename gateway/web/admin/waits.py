"""What waits for a person, for coordinators."""

from flask import Response

from gateway.services import looking
from gateway.services.listing.standstills import LOOKED_AT, standstills
from gateway.web.people.frame import Visit


def show(visit: Visit) -> Response:
    """Each case that does not move, what it waits for, since when, and who can move it; the view is audited."""
    core, person = visit.desk.core, visit.signed_in.person
    found = standstills(core)
    looking.record_view(core, person, "waits", sorted({one.case_id for one in found}))
    return visit.show("waits.html", standstills=found, looked_at=LOOKED_AT)
