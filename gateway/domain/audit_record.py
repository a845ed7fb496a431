"""One row of the audit trail, and what the accounting makes of such rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.moments import require_aware


@dataclass(frozen=True)
class AuditRecord:
    """Who did what when, with which outcome (`success`, `failure`, `denied`, ...), about whom and what.

    `patient_id` and `case_id` are ids of this gateway, '' where it is about none; `details` hold ids and codes,
    and the reason that a person typed, which must name nobody.
    """

    id: int
    at: datetime
    actor: str
    action: str
    outcome: str
    case_id: str
    patient_id: str
    subject: str
    details: Mapping[str, Any]

    def __post_init__(self) -> None:
        require_aware(at=self.at)

    def listed(self, name: str) -> tuple[str, ...]:
        """A detail that is a list of texts; empty where the row has none."""
        found = self.details.get(name)
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def told(self, name: str) -> str:
        """A detail that is one text; '' where the row has none."""
        found = self.details.get(name)
        return "" if found is None or isinstance(found, list | dict) else str(found)


@dataclass(frozen=True)
class Disclosure:
    """Something of a patient that was let go: when, to whom, what, why, and what is known to have arrived.

    `granted_at` is the first of `grants` permissions to send it, which is the instant of disclosure. `country` is the
    recipient's as registered now; '' where that is not known any more. `transfer` is the instrument on which it went to
    another country; '' where it needed none, and where the row does not tell. `acknowledged_at` is None
    where the recipient has not said, or not yet, that it arrived; `acknowledgement` is what it said, in words.
    `recalled_at` is when the patient took the consent back afterwards; None where that was not so, or is so no more.
    `evidence` are the ids of the audit rows behind it.
    """

    granted_at: datetime
    grants: int
    recipient: str
    endpoint: str
    address: str
    country: str
    what: str
    purposes: tuple[str, ...]
    consents: tuple[str, ...]
    decision: str
    case_id: str
    acknowledged_at: datetime | None
    acknowledgement: str
    recalled_at: datetime | None
    evidence: tuple[int, ...]
    transfer: str = ""


@dataclass(frozen=True)
class Accounting:
    """The disclosures of one patient from `since` on, as of `made_at`, oldest first.

    `custodian` is the clinic whose patient it is, `time_zone` its IANA zone, in which people read the times.
    """

    patient_id: str
    custodian: str
    time_zone: str
    case_ids: tuple[str, ...]
    since: datetime
    made_at: datetime
    disclosures: tuple[Disclosure, ...]
