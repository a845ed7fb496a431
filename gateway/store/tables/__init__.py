"""The schema. Ids are random text, instants are UTC, JSON columns hold small facts that are only ever shown.

Patient data stands in `resource_version`, `resource_identifier`, `case_key`, `document.title`, `study`,
`quarantine.details` and the blobs, and nowhere else.
"""

from gateway.store.tables.cases import case, case_key, document
from gateway.store.tables.columns import Instant, blob_columns, metadata
from gateway.store.tables.deliveries import decision, delivery, delivery_item, egress_grant, recall_notice
from gateway.store.tables.evidence import audit, audit_seal, audit_tail, destruction
from gateway.store.tables.installation import installation
from gateway.store.tables.jobs import breaker, outbox, worker
from gateway.store.tables.parties import access_token, endpoint, oauth_client, party, party_identifier
from gateway.store.tables.reports import report
from gateway.store.tables.resources import resource, resource_identifier, resource_reference, resource_version
from gateway.store.tables.studies import instance, quarantine, study

__all__ = [
    "Instant",
    "access_token",
    "audit",
    "audit_seal",
    "audit_tail",
    "blob_columns",
    "breaker",
    "case",
    "case_key",
    "decision",
    "delivery",
    "delivery_item",
    "destruction",
    "document",
    "egress_grant",
    "endpoint",
    "installation",
    "instance",
    "metadata",
    "oauth_client",
    "outbox",
    "party",
    "party_identifier",
    "quarantine",
    "recall_notice",
    "report",
    "resource",
    "resource_identifier",
    "resource_reference",
    "resource_version",
    "study",
    "worker",
]
