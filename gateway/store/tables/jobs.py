"""The outbox, the breakers of the destinations that its rows go to, and the workers that do them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, text

from gateway.store.tables.columns import Instant, metadata, own_id, partial_index, reference

_IS_RUNG = text("rung_at IS NOT NULL")
outbox = Table(
    "outbox",
    metadata,
    own_id(),
    Column("kind", String(32), nullable=False),
    Column("subject_id", String(64), nullable=False),
    reference("case_id", "case.id", is_optional=True),
    Column("endpoint_id", String(64)),  # the destination, of what is sent
    Column("state", String(16), nullable=False),  # pending | claimed | done | dead
    Column("next_try_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),  # attempts that ended with an error
    Column("lease_owner", String(64)),
    Column("lease_until", Instant),
    Column("rung_at", Instant),  # when the broker was last told; a doorbell, not a lease
    Column("last_error", Text, nullable=False),
    Column("trace_id", String(32)),  # one for everything that follows from one association, request or command
    Column("span_id", String(16)),  # of what enqueued it, where that was recorded
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Index(None, "state", "next_try_at"),
    Index(None, "subject_id", "kind", "state"),
    Index(None, "case_id"),
    partial_index(None, "rung_at", where=_IS_RUNG),
)
breaker = Table(
    "breaker",
    metadata,
    Column("endpoint_id", String(64), ForeignKey("endpoint.id"), primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("failing_since", Instant),
    Column("probe_at", Instant),  # NULL while it is closed
)
worker = Table(
    "worker",
    metadata,
    own_id(),
    Column("host", Text, nullable=False),
    Column("queues", Text, nullable=False),  # their names, parted by spaces
    Column("waits_for", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("kinds", Text),  # of jobs that it knows, parted by spaces; None: a version that did not say
)
