"""What each delivery of a case waits for, since when, and the command that moves it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.case import CaseState
from gateway.domain.consent.decision import Outcome
from gateway.domain.delivery import DeliveryState, Flow
from gateway.domain.moments import utc_in_words
from gateway.domain.record import Case, Delivery
from gateway.domain.story import ADMINISTRATOR, COORDINATOR, Wait
from gateway.domain.work import JobState, StoppedJob, next_job
from gateway.services.restore_hold import restored_wait
from gateway.store import breakers, cases, dead_letters, deliveries, outbox, parties, studies


def delivery_waits(connection: Connection, case: Case, stopped: Sequence[StoppedJob]) -> Iterator[Wait]:
    """One for each delivery that has not arrived; `stopped` are jobs that say for themselves why they gave up.

    After a restore one for all that would leave otherwise. Of a closed case only a report is still on its way.
    """
    told, is_open = {(job.kind, job.subject_id) for job in stopped}, case.state == CaseState.OPEN
    waiting = [
        one
        for one in deliveries.listed(connection, case_id=case.id)
        if one.state is not DeliveryState.DELIVERED and (is_open or _is_returning(one))
    ]
    restored = restored_wait(connection, case) if is_open or waiting else None
    if restored:
        yield restored
    for delivery in waiting:
        if delivery.waits_for:
            yield _for_somebody(connection, case, delivery)
        elif restored is None and next_job(delivery) not in told:
            yield _moving(connection, case, delivery)


def _is_returning(delivery: Delivery) -> bool:
    return delivery.kind.flow is Flow.RETURN_TO_CLINIC and delivery.state is not DeliveryState.CANCELLED


def delivery_wait(connection: Connection, delivery: Delivery) -> str:
    """What one delivery waits for, in a sentence; empty while nothing is in its way and once it has arrived."""
    if delivery.waits_for or delivery.state in (DeliveryState.DELIVERED, DeliveryState.CANCELLED):
        return delivery.waits_for
    if restored := restored_wait(connection, cases.by_id(connection, delivery.case_id)):
        return f"{restored.what}; who can move it: {restored.who}"
    kind, subject_id = next_job(delivery)
    for job in dead_letters.listed(connection, subjects=[subject_id]):
        if job.kind is kind:
            return f"{ADMINISTRATOR}, by consilium job retry {job.id}: {job.last_error}"
    if outbox.unsettled(connection, kind, subject_id) is None:
        return f"{ADMINISTRATOR}, by consilium delivery retry {delivery.id}: its work ended unfinished"
    return _held_up(connection, delivery)


def next_try_at(connection: Connection, delivery: Delivery) -> datetime | None:
    """When it will be tried next; None while it is being tried and when it is not going to be."""
    job = outbox.unsettled(connection, *next_job(delivery))
    if job is None or job.state == JobState.CLAIMED:
        return None
    probe_at = breakers.by_endpoint(connection, delivery.endpoint_id).probe_at
    due_at: datetime = job.next_try_at
    return max(due_at, probe_at or due_at)


def _for_somebody(connection: Connection, case: Case, delivery: Delivery) -> Wait:
    who, _, why = delivery.waits_for.partition(": ")
    what = f"{delivery.kind} {delivery.state}: {why or who}"
    return Wait(what, delivery.changed_at, f"{who}{_commands(connection, case, delivery)}")


def _commands(connection: Connection, case: Case, delivery: Delivery) -> str:
    if delivery.state is DeliveryState.CANCELLED:
        return ""
    if delivery.stopped_by is not None:
        return f": consilium delivery release|cancel {delivery.id}"
    if delivery.state is DeliveryState.HELD:
        return f"; on file is what this shows: consilium consent list --case {case.id}"
    if delivery.state is DeliveryState.PENDING:  # objects of it could not be proven clean
        entries = studies.quarantined(connection, study_id=delivery.subject_id)
        return f" ({COORDINATOR}): " + "; ".join(f"consilium quarantine show {entry.id}" for entry in entries)
    verbs = "retry|confirm|resend|cancel" if delivery.state is DeliveryState.AMBIGUOUS else "retry|cancel"
    return f": consilium delivery {verbs} {delivery.id}"


def _moving(connection: Connection, case: Case, delivery: Delivery) -> Wait:
    retry = f"{ADMINISTRATOR}: consilium delivery retry {delivery.id}"
    job = outbox.unsettled(connection, *next_job(delivery))
    if job is None:
        why = f"{delivery.kind} stopped: {delivery.last_error or 'its work ended unfinished'}"
        return Wait(why, delivery.changed_at, retry)
    why = _held_up(connection, delivery)
    if not why:
        return Wait(f"{delivery.kind} on its way", delivery.changed_at, "nobody: the workers")
    if _is_undecided(connection, delivery):
        clinic = parties.party_by_id(connection, case.clinic_id).name
        shown = f"on file is what this shows: consilium consent list --case {case.id}"
        return Wait(f"{delivery.kind}: {why}", delivery.changed_at, f"the clinic {clinic}, by its consents; {shown}")
    name = parties.endpoint_by_id(connection, delivery.endpoint_id).name
    who = f"nobody: time; or whoever runs the destination, which this looks at: consilium endpoint test {name}"
    return Wait(f"{delivery.kind}: {why}", delivery.changed_at, f"{who}; and then {retry}")


def _is_undecided(connection: Connection, delivery: Delivery) -> bool:
    """Whether the consents on file allowed no decision when it was asked last."""
    decided = deliveries.last_decision(connection, delivery.id)
    return decided is not None and decided.outcome == Outcome.INDETERMINATE


def _held_up(connection: Connection, delivery: Delivery) -> str:
    """Why one whose work is not over has not arrived, and until when it waits; '' where nothing went wrong."""
    job = outbox.unsettled(connection, *next_job(delivery))
    silent = breakers.by_endpoint(connection, delivery.endpoint_id)
    reasons = [delivery.last_error or (job.last_error if job else "")]
    if silent.probe_at is not None and silent.failing_since is not None:
        name = parties.endpoint_by_id(connection, delivery.endpoint_id).name
        reasons.insert(0, f"{name} has not answered since {utc_in_words(silent.failing_since)}")
    reason = "; ".join(filter(None, reasons))
    if not reason:
        return ""
    at = next_try_at(connection, delivery)
    return f"the next try at {utc_in_words(at)} after: {reason}" if at else f"tried again now, after: {reason}"
