"""What is true of the installation as a whole, on all of its machines."""

from sqlalchemy import Column, String, Table

from gateway.store.tables.columns import Instant, metadata

installation = Table(
    "installation",
    metadata,
    Column("id", String(16), primary_key=True),  # there is one row
    Column("key_fingerprint", String(64), nullable=False),
    Column("blob_store", String(64)),  # the mark in it; none before the first program that uses it
    Column("recorded_at", Instant, nullable=False),
)
