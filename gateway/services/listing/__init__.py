"""Lists for the people who run the gateway: ids, names of parties, states and times, never patient data.

The one exception is `quarantine_entry`, which shows both values of a contradiction to a person and records that. So
does `documents.shown` with a document's title, which no list has.
"""

from gateway.services.listing.audit import audit_lines, sealed_rows, verified_audit
from gateway.services.listing.case_documents import documents
from gateway.services.listing.cases import case_lines
from gateway.services.listing.clients import client_lines
from gateway.services.listing.deliveries import delivery_lines, delivery_view
from gateway.services.listing.destructions import destructions
from gateway.services.listing.quarantine import quarantine_entry, quarantine_lines
from gateway.services.listing.studies import study_line, study_lines

__all__ = [
    "audit_lines",
    "case_lines",
    "client_lines",
    "delivery_lines",
    "delivery_view",
    "destructions",
    "documents",
    "quarantine_entry",
    "quarantine_lines",
    "sealed_rows",
    "study_line",
    "study_lines",
    "verified_audit",
]
