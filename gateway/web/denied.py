"""Whoever was refused something is remembered, as often as their rate allows."""

from functools import partial

from gateway.services.denials import Denial, record_denial
from gateway.web.edge import Edge


def remember(edge: Edge, denial: Denial) -> None:
    """Leave an audit row of it."""
    record = partial(record_denial, edge.database, denial, now=edge.now())
    edge.admission.denials.leave(record, denial.counted_as, is_known=denial.is_known)
