"""What storing a resource sets in motion, inside the transaction that stores it."""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from gateway.domain.resource import StoredResource
from gateway.services import cases, documents, revocation, signing
from gateway.services.core import Core

Effect = Callable[[Connection, StoredResource], None]


def effects(core: Core) -> dict[str, Effect]:
    """Resource type -> effect. A raised error undoes the whole transaction: nothing is stored without its effect."""
    return {
        "Patient": revocation.patient_stored,
        "ServiceRequest": partial(cases.order_stored, core),
        "Consent": revocation.consent_stored,
        "DocumentReference": partial(documents.document_stored, core),
        "DiagnosticReport": signing.report_stored,
    }
