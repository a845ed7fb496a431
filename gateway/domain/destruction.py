"""What was destroyed when its time was over: the evidence that it was there, and that it is gone."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.domain.moments import require_aware


class ThingKind(StrEnum):
    """What is destroyed of a case besides its FHIR resources, which go by the name of their type."""

    IMAGE = "image"  # subject: instance, exactly as it was received
    PAYLOAD = "payload"  # subject: delivery/position, as it left
    DOCUMENT = "document"  # subject: document, as the clinic sent it
    CLEARED_DOCUMENT = "cleared-document"  # subject: document, as a person cleared it
    RENDITION_PDF = "rendition-pdf"  # subject: report version
    RENDITION_HTML = "rendition-html"  # subject: report version


@dataclass(frozen=True)
class Thing:
    """One thing to destroy; `size_bytes` is None while nobody has measured it."""

    kind: str
    subject_id: str
    sha256: str
    size_bytes: int | None = None

    def measured(self, size_bytes: int) -> "Thing":
        """The same with its size."""
        return replace(self, size_bytes=size_bytes)

    @property
    def name(self) -> tuple[str, str]:
        """What it is known by."""
        return self.kind, self.subject_id


@dataclass(frozen=True)
class Destruction:
    """The record of one destroyed thing; `reason` is the rule."""

    id: str
    at: datetime
    case_id: str
    kind: str
    subject_id: str
    sha256: str
    size_bytes: int
    reason: str

    def __post_init__(self) -> None:
        require_aware(at=self.at)


@dataclass(frozen=True)
class RetentionPolicy:
    """How long after its last delivery a case is closed, and how long after that it is kept; None: never, for ever."""

    close_after: timedelta | None
    keep: timedelta | None

    @classmethod
    def of_days(cls, *, close_after_days: int, keep_days: int) -> "RetentionPolicy":
        """0 days stand for None."""
        return cls(
            timedelta(days=close_after_days) if close_after_days else None,
            timedelta(days=keep_days) if keep_days else None,
        )
