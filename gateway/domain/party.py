"""Who the gateway exchanges with: clinics and reviewers, and the endpoints that belong to them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class Identifier:
    """A business identifier: `system` is a URI, `value` is compared exactly."""

    system: str
    value: str


Numbers = Mapping[str, frozenset[str]]
"""Of a party's identifiers the values, by system."""


def numbers_of(identifiers: Iterable[Identifier]) -> Numbers:
    """Identifiers of one party by system."""
    found: dict[str, frozenset[str]] = {}
    for one in identifiers:
        found[one.system] = found.get(one.system, frozenset()) | {one.value}
    return found


class PartyKind(StrEnum):
    """Orders opinions, or gives them."""

    CLINIC = "clinic"
    REVIEWER = "reviewer"


@dataclass(frozen=True)
class Party:
    """A clinic (owns cases, a PACS, an EHR) or a reviewer (owns a DICOM node).

    `identifiers` are what a Consent names as its recipient. `country` is ISO 3166-1 alpha-2; `time_zone` an IANA
    name, and for a clinic the zone in which its consents' dates are read. Since `restored_at` a clinic's cases are
    those of a backup, and nobody has said yet that the clinic has sent again what came later.
    """

    id: str
    kind: PartyKind
    name: str
    identifiers: tuple[Identifier, ...]
    country: str
    time_zone: str
    restored_at: datetime | None = None


class EndpointRole(StrEnum):
    """What an endpoint is to its party."""

    PACS = "pacs"
    EHR = "ehr"
    REVIEWER_NODE = "reviewer-node"


@dataclass(frozen=True)
class DicomAddress:
    """Where a DICOM node listens: AE title (1-16 characters), host, port, TLS or not.

    `ca_file` (PEM) holds CAs that are trusted beside the system's own; it goes with TLS.
    """

    ae_title: str
    host: str
    port: int
    is_tls: bool = False
    ca_file: str = ""


@dataclass(frozen=True)
class FhirAddress:
    """Where a FHIR server answers, and how we show who we are.

    `token_file` holds a fixed bearer token. With `token_url`, `client_id` and `client_secret_file` a token is fetched
    by the client-credentials grant. Secrets stay in files; the database knows their paths only. `ca_file` (PEM) holds
    CAs that are trusted beside the system's own.
    """

    base_url: str
    token_file: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret_file: str = ""
    ca_file: str = ""


@dataclass(frozen=True)
class Endpoint:
    """One address of one party. Exactly one of `dicom` and `fhir` is set."""

    id: str
    name: str
    party_id: str
    role: EndpointRole
    dicom: DicomAddress | None = None
    fhir: FhirAddress | None = None

    @property
    def where(self) -> str:
        """Its network address in a line: `AE@host:port`, or the base URL."""
        if self.dicom is not None:
            return f"{self.dicom.ae_title}@{self.dicom.host}:{self.dicom.port}"
        return self.fhir.base_url if self.fhir is not None else ""
