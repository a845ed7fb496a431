"""What leaves, to whom, and how far it has come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.domain.moments import require_aware


class Flow(StrEnum):
    """Why something leaves; each flow has its own consent and its purposes (v3-ActReason)."""

    DISCLOSE_TO_REVIEWER = "disclose-to-reviewer"
    RETURN_TO_CLINIC = "return-to-clinic"


class DeliveryKind(StrEnum):
    """What leaves, and which way."""

    STUDY_TO_REVIEWER = "study-to-reviewer"
    DOCUMENT_TO_REVIEWER = "document-to-reviewer"
    REPORT_TO_EHR = "report-to-ehr"
    REPORT_TO_PACS = "report-to-pacs"

    @property
    def flow(self) -> Flow:
        """The consent this kind of delivery stands on."""
        to_reviewer = (DeliveryKind.STUDY_TO_REVIEWER, DeliveryKind.DOCUMENT_TO_REVIEWER)
        return Flow.DISCLOSE_TO_REVIEWER if self in to_reviewer else Flow.RETURN_TO_CLINIC


class DeliveryState(StrEnum):
    """`held` waits for a consent, `ambiguous` and `failed` wait for a person; `delivered` and `cancelled` are ends."""

    PENDING = "pending"
    HELD = "held"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


UNSENT = (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.AMBIGUOUS)
"""It may still leave, by itself or once somebody has spoken; a later version waits for it."""

ENDED = (DeliveryState.DELIVERED, DeliveryState.CANCELLED)
"""Nothing more is sent of it."""


@dataclass(frozen=True)
class Receipt:
    """What the other side answered, and when. `reference` is an HTTP id + version or a SOP Instance UID."""

    at: datetime
    status: str
    reference: str
    sha256: str
    note: str = ""

    def __post_init__(self) -> None:
        require_aware(at=self.at)


GRANT_LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True)
class Hindrance:
    """What keeps everything on a flow from leaving, whatever the consents say; `code` is for machines."""

    code: str
    why: str


@dataclass(frozen=True)
class EgressGrant:
    """The committed permission to send one payload of one delivery until `expires_at` (design: promise 2)."""

    id: str
    delivery_id: str
    payload_sha256: str
    expires_at: datetime

    def __post_init__(self) -> None:
        require_aware(expires_at=self.expires_at)


@dataclass(frozen=True)
class ReadGrant:
    """The committed permission to answer one read with exactly this: its commit is the disclosure, and it is used up.

    `subject` is `Type/id` as the reader knows it; `payload_sha256` is of the resource's bytes in the answer.
    """

    id: str
    case_id: str
    party_id: str
    client_id: str
    subject: str
    payload_sha256: str
    granted_at: datetime

    def __post_init__(self) -> None:
        require_aware(granted_at=self.granted_at)
