"""What has been kept long enough is destroyed; decisions, grants, receipts, audit and a record of it remain.

In short transactions, each of which asks again whether it may: what one of them let go is recorded in it, so that a
worker that dies in between leaves less to do. The blobs lose the rows that refer to them and go with the next sweep,
unless something else refers to them (`sweeping`).
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.destruction import RetentionPolicy, Thing
from gateway.domain.errors import NotFound
from gateway.domain.record import Case
from gateway.domain.work import Job, JobKind
from gateway.services import recurring
from gateway.services.core import Core
from gateway.services.merges import person_of
from gateway.services.second_look import late
from gateway.services.unfinished import lock_whole, undelivered
from gateway.store import audit, cases, dead_letters, destructions, forgetting, retention, studies

MOST_AT_ONCE = 20
"""Cases in one run; what is left comes next, after whatever else waits for a worker."""

_ROWS_AT_ONCE = 200


def destroy_due(core: Core, job: Job, *, policy: RetentionPolicy) -> None:
    """Destroy the content of the cases that were closed longer ago than they are kept. Recurring."""
    keep = policy.keep

    def closed() -> list[str]:
        if keep is None:
            return []
        with core.database.write("retention.begin") as connection:
            retention.begin_period(connection, core.now())
            return retention.closed_since(connection, core.now() - keep)

    def is_destroyed(case_id: str) -> bool:
        return keep is not None and destroy(core, case_id, keep=keep)

    recurring.one_by_one(core, job, closed, is_destroyed, most_at_once=MOST_AT_ONCE)


def destroy(core: Core, case_id: str, *, keep: timedelta) -> bool:
    """Destroy what is left of one case; False where it is not over, held, or anything of it is undelivered or late."""
    while things := _measured(core, case_id, keep):
        with core.database.write("retention.blobs") as connection:
            case, now = cases.lock(connection, case_id), core.now()
            if not _may_go(connection, case, now - keep):
                return False
            there = {one.name for one in destructions.blobs_of(connection, case_id, limit=_ROWS_AT_ONCE)}
            going = [one for one in things if one.name in there]
            destructions.record(connection, case_id, going, reason=_rule(keep), now=now)
            destructions.let_go(connection, going)
    if things is None:
        return False
    with core.database.write("retention.case") as connection:
        return _is_finished(core, connection, case_id, keep)


def _measured(core: Core, case_id: str, keep: timedelta) -> list[Thing] | None:
    """What goes next, its size read where no row says it; None for a case that may not be destroyed."""
    with core.database.read() as connection:
        if not _may_go(connection, cases.by_id(connection, case_id), core.now() - keep):
            return None
        things = destructions.blobs_of(connection, case_id, limit=_ROWS_AT_ONCE)
    return [one if one.size_bytes is not None else one.measured(_size_bytes(core, one.sha256)) for one in things]


def _size_bytes(core: Core, sha256: str) -> int:
    """0 where the blob has vanished already."""
    try:
        return core.blobs.size_bytes(sha256)
    except NotFound:
        return 0


def _may_go(connection: Connection, case: Case, before: datetime) -> bool:
    if not retention.is_closed_since(connection, case.id, before) or late(connection, case.id):
        return False
    return not any(undelivered(connection, case)) and not _is_arrival_unsettled(connection, case.id)


def _is_arrival_unsettled(connection: Connection, case_id: str) -> bool:
    """Whether the look at what came for the case gave up: it would have said that objects came too late."""
    of_case = [study.id for study in studies.listed(connection, case_id=case_id)]
    stopped = dead_letters.listed(connection, case_id=case_id, subjects=of_case)
    return any(job.kind is JobKind.STUDY_SETTLE for job in stopped)


def _is_finished(core: Core, connection: Connection, case_id: str, keep: timedelta) -> bool:
    """The rows after the blobs; False where the case may not go, or something has come meanwhile."""
    case, now = lock_whole(connection, case_id), core.now()
    forgetting.lock_studies(connection, case_id)  # nothing more arrives from here on
    if not _may_go(connection, case, now - keep) or destructions.blobs_of(connection, case_id, limit=1):
        return False
    going = forgetting.resources_of(connection, case, patients=_patients_to_forget(connection, case))
    things = forgetting.empty_resources(connection, going, now)
    destructions.record(connection, case_id, things, reason=_rule(keep), now=now)
    forgetting.empty_studies(connection, case_id, now)
    forgetting.finish(connection, case_id, now)
    _audit(connection, case, keep, now)
    return True


def _patients_to_forget(connection: Connection, case: Case) -> frozenset[str]:
    """All records that are the case's patient, unless another case of any of them is kept."""
    records = person_of(connection, case.clinic_id, case.patient_id).records
    is_needed = any(retention.is_needed_by_another(connection, case.clinic_id, one, case.id) for one in records)
    return frozenset() if is_needed else records


def _audit(connection: Connection, case: Case, keep: timedelta, now: datetime) -> None:
    things, size_bytes = destructions.total(connection, case.id)
    details = {"status": "destroyed", "rule": _rule(keep), "things": things, "bytes": size_bytes}
    audit.record_of_case(connection, case.id, "case.destroyed", at=now, actor="retention", details=details)


def _rule(keep: timedelta) -> str:
    return f"retention.keep_days = {keep.days} after the case was closed"
