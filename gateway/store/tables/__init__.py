"""The schema. Ids are random text, instants are UTC, JSON columns hold small facts that are only ever shown.

Patient data stands in `resource_version`, `resource_identifier`, `resource_token`, `resource_text`, `resource_span`,
`case_key`, `document.title`, `study`, `quarantine.details` and the blobs, and nowhere else.
"""

from gateway.store.tables.cases import case, case_key, document
from gateway.store.tables.clients import access_token, oauth_client, published_keys, used_assertion
from gateway.store.tables.columns import Instant, blob_columns, metadata
from gateway.store.tables.deliveries import decision, delivery, delivery_item, egress_grant, read_grant, recall_notice
from gateway.store.tables.evidence import VIEWS_OF_BEFORE, audit, audit_export, audit_seal, audit_tail, destruction
from gateway.store.tables.grounds import consent_authority, transfer_instrument
from gateway.store.tables.installation import installation
from gateway.store.tables.jobs import breaker, outbox, worker
from gateway.store.tables.parties import endpoint, party, party_identifier, party_organization
from gateway.store.tables.people import (
    person,
    person_device,
    person_role,
    person_session,
    recovery_code,
    sign_in_failure,
)
from gateway.store.tables.reports import report
from gateway.store.tables.resources import (
    resource,
    resource_identifier,
    resource_reference,
    resource_span,
    resource_text,
    resource_token,
    resource_version,
)
from gateway.store.tables.studies import instance, quarantine, study

__all__ = [
    "VIEWS_OF_BEFORE",
    "Instant",
    "access_token",
    "audit",
    "audit_export",
    "audit_seal",
    "audit_tail",
    "blob_columns",
    "breaker",
    "case",
    "case_key",
    "consent_authority",
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
    "party_organization",
    "person",
    "person_device",
    "person_role",
    "person_session",
    "published_keys",
    "quarantine",
    "read_grant",
    "recall_notice",
    "recovery_code",
    "report",
    "resource",
    "resource_identifier",
    "resource_reference",
    "resource_span",
    "resource_text",
    "resource_token",
    "resource_version",
    "sign_in_failure",
    "study",
    "transfer_instrument",
    "used_assertion",
    "worker",
]
