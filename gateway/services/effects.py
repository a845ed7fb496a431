"""What storing a resource sets in motion, inside the transaction that stores it, and what it needs done before."""

from functools import partial

from gateway.domain.consent.request import PARTY_TYPES
from gateway.services import cases, documents, renaming, revocation, signing
from gateway.services.core import Core
from gateway.services.resource_transaction import Effect
from gateway.services.resources import Preparation


def effects(core: Core) -> dict[str, Effect]:
    """Resource type -> effect. A raised error undoes the whole transaction: nothing is stored without its effect."""
    return {
        "Patient": revocation.patient_stored,
        "ServiceRequest": partial(cases.order_stored, core),
        "Consent": revocation.consent_stored,
        **dict.fromkeys(PARTY_TYPES, renaming.resource_stored),
        "Provenance": revocation.provenance_stored,
        "DiagnosticReport": signing.report_stored,
    }


def before_storing(core: Core) -> dict[str, Preparation]:
    """Resource type -> what is done before the transaction, where nobody waits for a disk, and gives its effect."""
    return {"DocumentReference": partial(documents.keep_content, core)}
