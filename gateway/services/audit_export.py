"""Audit rows go to a syslog collector once they are sealed: in their order, each at least once.

What has arrived is kept as a position of the chain; after an outage it goes on from there. A collector that is away
holds up nothing else: the job ends well, comes again, and `readyz` and `doctor` say since when and why. Rows that it
may have are sent again after pauses that grow to an hour: none is lost, and the same ones are no flood.
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from fhir_mappings.audit_event import Site, audit_event_to_fhir
from gateway.domain.errors import GatewayError, Unanswered
from gateway.domain.syslog_message import syslog_message
from gateway.domain.work import RECURRING, Job
from gateway.services.core import Core
from gateway.services.event_ids import EventIds
from gateway.services.recurring import put_back
from gateway.store import audit, audit_chain, audit_exports
from gateway.store.audit_exports import SYSLOG

MOST_AT_ONCE = 500
UNUSED_PERIOD = timedelta(hours=1)
LONGEST_PAUSE = timedelta(hours=1)

Sender = Callable[[Sequence[bytes]], None]
"""Sends messages in order; they have been read when it returns. Raises GatewayError."""

_log = structlog.get_logger()


def export_due(core: Core, job: Job, *, send: Sender | None, host: str) -> None:
    """Send what was sealed since; nothing without a collector. Recurring."""
    if send is None:
        put_back(core, job.kind, is_more=False, period=UNUSED_PERIOD)
        return
    try:
        count = export(core, send, host=host)
    except GatewayError as exc:
        put_back(core, job.kind, is_more=False, period=_pause(exc, _failed(core, exc), RECURRING[job.kind]))
        return
    put_back(core, job.kind, is_more=count == MOST_AT_ONCE)


def _failed(core: Core, exc: GatewayError) -> timedelta:
    """Writes down that a try was in vain; gives for how long all of them have been."""
    with core.database.write("audit.export_failed") as connection:
        now = core.now()
        since = audit_exports.failed(connection, SYSLOG, str(exc), now=now)
    _log.warning("audit.export.failed", reason=str(exc))
    return now - since


def _pause(exc: GatewayError, failing_for: timedelta, shortest: timedelta) -> timedelta:
    """As long again as it has been failing, where each try may bring the collector the same rows once more."""
    return min(max(failing_for, shortest), LONGEST_PAUSE) if isinstance(exc, Unanswered) else shortest


def export(core: Core, send: Sender, *, host: str) -> int:
    """Send the next rows of the chain; gives how many. Raises GatewayError, and sends them again the next time."""
    with core.database.read() as connection:
        before = audit_exports.known(connection, SYSLOG)
        rows = audit_chain.sealed_after(connection, before.position if before else 0, MOST_AT_ONCE)
    if rows:
        ids = EventIds(core.pseudonym_key)
        send([_message(host, row, ids) for row in rows if row.id is not None])  # one that is gone `verify` names
    if rows or (before and before.failing_since):
        position = rows[-1].position if rows else before.position if before else 0
        with core.database.write("audit.export") as connection:
            audit_exports.arrived(connection, SYSLOG, position, now=core.now())
    return len(rows)


def _message(host: str, row: Row[Any], ids: EventIds) -> bytes:
    record = audit.record_of(row)
    event = audit_event_to_fhir(record, Site(host), ids.of(record.id))
    return syslog_message(
        json.dumps(event, separators=(",", ":")).encode("ascii"),
        at=record.at,
        is_success=record.outcome == "success",
        host=host,
        audit_id=record.id,
        position=row.position,
        sha256=row.sha256,
    )
