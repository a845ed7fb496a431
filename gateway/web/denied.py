"""Whoever was refused something is remembered, as often as their rate allows."""

import structlog

from gateway.domain.errors import GatewayError
from gateway.services.denials import Denial, record_denial
from gateway.web.edge import Edge

_log = structlog.get_logger("gateway.web")


def remember(edge: Edge, denial: Denial) -> None:
    """Leave an audit row of it. A refusal that cannot be recorded stays one: nothing was shown."""
    if not edge.admission.rates.is_recorded(denial.counted_as, is_known=denial.is_known):
        return
    try:
        record_denial(edge.database, denial, now=edge.now())
    except GatewayError as exc:
        _log.warning("refusal unrecorded", reason=type(exc).__name__)
