"""Versions of the reviewers' reports."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from gateway.store.tables.columns import Instant, blob, metadata, own_id, reference

report = Table(
    "report",
    metadata,
    own_id(),
    reference("case_id", "case.id"),
    reference("reviewer_id", "party.id"),
    Column("report_key", String(128), nullable=False),  # one for all versions of a report
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("diagnostic_report_id", String(64), ForeignKey("resource.id"), nullable=False),
    Column("composition_id", String(64), ForeignKey("resource.id"), nullable=False),
    Column("composition_version", Integer, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    blob("pdf_sha256", is_optional=True),
    blob("html_sha256", is_optional=True),
    Column("created_at", Instant, nullable=False),
    Column("rendered_at", Instant),
    UniqueConstraint("report_key", "version"),
    Index(None, "case_id"),
)
