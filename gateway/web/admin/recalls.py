"""What has to be asked back from recipients, for coordinators and privacy officers."""

from flask import Response

from gateway.services import looking, recall
from gateway.web.people.frame import Visit

_SHOWN = 100


def show(visit: Visit) -> Response:
    """The notices that nobody has acknowledged, oldest first; the view is audited."""
    core, person = visit.desk.core, visit.signed_in.person
    found = recall.recall_lines(core, limit=_SHOWN)
    looking.record_view(core, person, "recalls", sorted({one.case_id for one in found}))
    return visit.show("recalls.html", recalls=found, most=_SHOWN)
