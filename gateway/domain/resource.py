"""A FHIR resource as it was stored: whose it is, and which version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class StoredResource:
    """One version. `party_id` is the clinic or reviewer whose client wrote it; `content` is the parsed JSON."""

    id: str
    party_id: str
    type: str
    version: int
    client_id: str
    stored_at: datetime
    content: dict[str, Any]
