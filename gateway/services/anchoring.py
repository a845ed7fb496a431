"""Anchors of the audit chain are put where others can copy them to, by the clock and whenever a person asks."""

from pathlib import Path

import structlog

from gateway.domain.audit_proof import Anchor
from gateway.domain.work import Job
from gateway.services.core import Core
from gateway.services.recurring import put_back
from gateway.store import audit_chain
from gateway.store.anchors import write_anchor

_log = structlog.get_logger()


def anchor(core: Core, folder: Path) -> Anchor | None:
    """What the chain is now, as a file of `folder`; None while nothing is sealed.

    The file proves something once it is where nobody who can write the database can write.
    Raises Full, Transient where it cannot be written.
    """
    with core.database.read() as connection:
        made = audit_chain.head(connection, now=core.now())
    if made is not None:
        write_anchor(folder, made)
    return made


def anchor_due(core: Core, job: Job, *, folder: Path) -> None:
    """The same by the clock, and a line of the log, which may be kept elsewhere as well. Recurring."""
    made = anchor(core, folder)
    if made is not None:
        _log.info("audit.anchor", position=made.position, audit_id=made.audit_id, sha256=made.sha256)
    put_back(core, job.kind, is_more=False)
