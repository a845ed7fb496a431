"""The kinds of background work, their limits, and when a failed one is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.domain.delivery import DeliveryKind

if TYPE_CHECKING:
    from gateway.domain.record import Delivery  # a command that shows a list needs none of it


class JobKind(StrEnum):
    """What a job does with its subject. The value names the queue's routing key as well."""

    STUDY_SETTLE = "study-settle"  # subject: study; went quiet -> match
    STUDY_RELEASE = "study-release"  # subject: study; consent -> de-identify -> delivery
    DOCUMENT_RELEASE = "document-release"  # subject: document; cleared -> delivery
    REPORT_RENDER = "report-render"  # subject: report version -> renditions and deliveries
    DELIVERY_SEND = "delivery-send"  # subject: delivery
    CASE_RECHECK = "case-recheck"  # subject: case; a consent ended or began by time alone -> decide anew
    DELIVERY_OVERDUE = "delivery-overdue"  # subject: gateway; recurring: a person is asked about what waits too long
    CASE_CLOSING = "case-closing"  # subject: gateway; recurring: close the cases whose follow-up is over
    RETENTION = "retention"  # subject: gateway; recurring: destroy what has been kept long enough
    AUDIT_ANCHOR = "audit-anchor"  # subject: gateway; recurring: write down what the audit chain is
    AUDIT_EXPORT = "audit-export"  # subject: gateway; recurring: send what was sealed since to syslog
    RESOURCE_INDEX = "resource-index"  # subject: gateway; recurring: what a previous version stored is to be found


class JobState(StrEnum):
    """What has become of a job."""

    PENDING = "pending"  # due now or later
    CLAIMED = "claimed"  # a worker does it, as long as its lease runs
    DONE = "done"
    DEAD = "dead"  # it gave up; a person decides


QUEUES: Mapping[JobKind, str] = {
    JobKind.STUDY_SETTLE: "match",
    JobKind.STUDY_RELEASE: "deidentify",
    JobKind.DOCUMENT_RELEASE: "deidentify",
    JobKind.REPORT_RENDER: "render",
    JobKind.DELIVERY_SEND: "deliver",
    JobKind.CASE_RECHECK: "match",
    JobKind.DELIVERY_OVERDUE: "keep",
    JobKind.CASE_CLOSING: "keep",
    JobKind.RETENTION: "keep",
    JobKind.AUDIT_ANCHOR: "keep",
    JobKind.AUDIT_EXPORT: "keep",
    JobKind.RESOURCE_INDEX: "keep",
}
"""Queue by kind of work, so that a slow kind holds back no other.

A row of a kind that is not here is of a newer version of the program: whoever reads the outbox leaves it alone.
"""

RECURRING: Mapping[JobKind, timedelta] = {
    JobKind.DELIVERY_OVERDUE: timedelta(hours=1),
    JobKind.CASE_CLOSING: timedelta(hours=1),
    JobKind.RETENTION: timedelta(hours=1),
    JobKind.AUDIT_ANCHOR: timedelta(hours=1),
    JobKind.AUDIT_EXPORT: timedelta(seconds=30),
    JobKind.RESOURCE_INDEX: timedelta(hours=1),
}
"""Work that comes back by itself, and how long after its last time; each kind has one row, of the subject GATEWAY."""

GATEWAY = "gateway"


@dataclass(frozen=True)
class Job:
    """One claimed row of the outbox, enqueued at `since`.

    `attempt` counts from 1 and was committed before the work began; `failures` of the earlier ones ended with an
    error, the others never ended. `trace_id` is of what enqueued or moved it last, '' where that belonged to no trace;
    `span_id` is of the same, '' where no spans are recorded. `endpoint_id` is the destination of what is sent.
    `is_taken_over`: just before, another worker was at this subject, and ended without a word.
    """

    id: str
    kind: JobKind
    subject_id: str
    case_id: str | None
    attempt: int
    failures: int
    since: datetime
    owner: str
    trace_id: str = ""
    span_id: str = ""
    endpoint_id: str | None = None
    is_taken_over: bool = False


@dataclass(frozen=True)
class StoppedJob:
    """A job that gave up at `stopped_at`: it waits for a person. `case_id` is empty where it belongs to no case."""

    id: str
    kind: JobKind
    subject_id: str
    case_id: str
    attempts: int
    last_error: str
    stopped_at: datetime


@dataclass(frozen=True)
class WorkerPresence:
    """A worker that is there, the queues that it serves, and what keeps it from that ('' for nothing)."""

    host: str
    queues: frozenset[str]
    waits_for: str = ""


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter, bounded.

    A person is asked after `max_attempts`, but while something outside is away not before `deadline_s` is over; for a
    sending after `deadline_s` alone, and for anything that
    `max_unended` times in all took its worker with it.
    """

    base_s: float = 5.0
    cap_s: float = 900.0
    max_attempts: int = 40
    max_unended: int = 5
    deadline_s: float = 72 * 3600.0
    lease_s: float = 60.0

    def has_hope(self, job: Job, now: datetime, *, is_outside: bool) -> bool:
        """Whether a failed job is worth another try; `is_outside` where what failed is not ours, and may come back."""
        is_young = now < job.since + timedelta(seconds=self.deadline_s)
        if job.kind is JobKind.DELIVERY_SEND:
            return is_young
        return job.attempt < self.max_attempts or (is_outside and is_young)

    def is_poison(self, job: Job) -> bool:
        """Whether it has kept killing its workers, or outlived them."""
        return job.attempt - 1 - job.failures >= self.max_unended

    def next_try(self, now: datetime, attempt: int, fraction: float, retry_after_s: float | None = None) -> datetime:
        """When to try again after `attempt` failed; `fraction` in [0, 1) is the jitter; a Retry-After is a minimum."""
        ceiling_s = min(self.cap_s, self.base_s * 2 ** min(attempt - 1, 30))
        wait_s = max(fraction * ceiling_s, retry_after_s or 0.0)
        return now + timedelta(seconds=wait_s)


def next_job(delivery: "Delivery") -> tuple[JobKind, str]:
    """The job that moves this delivery on: its payload is prepared first where it is not there yet."""
    if delivery.payload_sha256:
        return JobKind.DELIVERY_SEND, delivery.id
    if delivery.kind is DeliveryKind.STUDY_TO_REVIEWER:
        return JobKind.STUDY_RELEASE, delivery.subject_id
    return JobKind.DOCUMENT_RELEASE, delivery.subject_id
