"""Whoever was refused something is remembered, as often as their rate allows."""

from functools import partial

from flask import Response

from gateway.services.denials import EDGE, Denial, record_denial
from gateway.web.edge import Edge


def remember(edge: Edge, denial: Denial) -> None:
    """Leave an audit row of it."""
    now = edge.now()
    record = partial(record_denial, edge.database, denial, now=now)
    edge.admission.denials.leave(record, denial.counted_as, now=now, is_known=denial.is_known)


def sum_up(edge: Edge, response: Response) -> Response:
    """The response as it is. Any request does to tell of the refusals of an earlier minute that left no row."""
    edge.admission.denials.sum_up(edge.database, actor=EDGE, now=edge.now())
    return response


def sum_up_at_end(edge: Edge) -> None:
    """Tell of those that are left when the process ends."""
    edge.admission.denials.sum_up(edge.database, actor=EDGE, now=edge.now(), is_end=True)
