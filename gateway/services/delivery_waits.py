"""What each delivery of a case waits for, since when, and the command that moves it."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryState
from gateway.domain.record import Case, Delivery
from gateway.domain.story import ADMINISTRATOR, COORDINATOR, Wait
from gateway.domain.work import StoppedJob, next_job
from gateway.store import breakers, deliveries, outbox, parties, studies


def delivery_waits(connection: Connection, case: Case, stopped: Sequence[StoppedJob]) -> Iterator[Wait]:
    """One for each delivery that has not arrived; `stopped` are jobs that say for themselves why they gave up."""
    told = {(job.kind, job.subject_id) for job in stopped}
    for delivery in deliveries.listed(connection, case_id=case.id):
        if delivery.state is DeliveryState.DELIVERED:
            continue
        if delivery.waits_for:
            yield _for_somebody(connection, case, delivery)
        elif next_job(delivery) not in told:
            yield _moving(connection, delivery)


def delivery_wait(connection: Connection, delivery: Delivery) -> str:
    """What one delivery waits for, in a sentence; empty while it moves and once it has arrived."""
    if delivery.waits_for or delivery.state in (DeliveryState.DELIVERED, DeliveryState.CANCELLED):
        return delivery.waits_for
    kind, subject_id = next_job(delivery)
    for job in outbox.stopped(connection, subjects=[subject_id]):
        if job.kind is kind:
            return f"{ADMINISTRATOR}, by consilium job retry {job.id}: {job.last_error}"
    is_moving = outbox.unsettled(connection, subject_id) is not None
    return "" if is_moving else f"{ADMINISTRATOR}, by consilium delivery retry {delivery.id}: its work ended unfinished"


def _for_somebody(connection: Connection, case: Case, delivery: Delivery) -> Wait:
    who, _, why = delivery.waits_for.partition(": ")
    what = f"{delivery.kind} {delivery.state}: {why or who}"
    return Wait(what, delivery.changed_at, f"{who}{_commands(connection, case, delivery)}")


def _commands(connection: Connection, case: Case, delivery: Delivery) -> str:
    if delivery.stopped_by is not None:
        return f": consilium delivery release|cancel {delivery.id}"
    if delivery.state is DeliveryState.HELD:
        return f"; on file is what this shows: consilium consent list --case {case.id}"
    if delivery.state is DeliveryState.PENDING:  # objects of it could not be proven clean
        entries = studies.quarantined(connection, study_id=delivery.subject_id)
        return f" ({COORDINATOR}): " + "; ".join(f"consilium quarantine show {entry.id}" for entry in entries)
    if delivery.state is DeliveryState.CANCELLED:
        return ""
    verbs = "confirm|resend|cancel" if delivery.state is DeliveryState.AMBIGUOUS else "retry|cancel"
    return f": consilium delivery {verbs} {delivery.id}"


def _moving(connection: Connection, delivery: Delivery) -> Wait:
    retry = f"{ADMINISTRATOR}: consilium delivery retry {delivery.id}"
    job = outbox.unsettled(connection, next_job(delivery)[1])
    if job is None:
        why = f"{delivery.kind} stopped: {delivery.last_error or 'its work ended unfinished'}"
        return Wait(why, delivery.changed_at, retry)
    reason = delivery.last_error or job.last_error
    silent = breakers.by_endpoint(connection, delivery.endpoint_id)
    if not reason and silent.probe_at is None:
        return Wait(f"{delivery.kind} on its way", delivery.changed_at, "nobody: the workers")
    endpoint = parties.endpoint_by_id(connection, delivery.endpoint_id)
    next_try_at = max(job.next_try_at, silent.probe_at or job.next_try_at)
    if silent.probe_at is not None and silent.failing_since is not None:
        since = f"{endpoint.name} has not answered since {silent.failing_since:%Y-%m-%d %H:%M:%S} UTC"
        reason = f"{since}; {reason}" if reason else since
    what = f"{delivery.kind}: the next try at {next_try_at:%Y-%m-%d %H:%M:%S} UTC after: {reason}"
    who = f"nobody: time; or whoever runs the destination, which this looks at: consilium endpoint test {endpoint.name}"
    return Wait(what, delivery.changed_at, f"{who}; and then {retry}")
