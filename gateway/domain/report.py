"""The reviewer's report: eight sections between a cover page and a closing."""

from dataclasses import dataclass
from datetime import date, datetime

from gateway.domain.moments import require_aware

SECTION_SYSTEM = "https://consilium.example/fhir/CodeSystem/report-section"
"""Code system of the eight sections in Composition.section.code."""

SECTION_TITLES = {
    "summary": "Summary",
    "diagnostic-evaluation": "Independent diagnostic evaluation",
    "staging-review": "Staging review",
    "treatment-comparison": "Treatment plan comparison",
    "special-considerations": "Special considerations",
    "risk-assessment": "Risk assessment",
    "references": "References",
    "next-steps": "Next steps",
}
"""Code -> title, in the order of the document."""


@dataclass(frozen=True)
class Section:
    """One part of the report. `html` is XHTML of the FHIR narrative subset (a single div), already checked."""

    code: str
    title: str
    html: str


@dataclass(frozen=True)
class Report:
    """One version of a report, as the reviewer wrote it: no patient identity inside, only the pseudonym.

    `sections` holds the eight of SECTION_TITLES in that order. `status` is the DiagnosticReport status
    (final, amended, corrected, appended). `conclusion` is DiagnosticReport.conclusion, or empty. `language` is the
    BCP 47 tag of what the reviewer wrote.
    """

    id: str
    version: int
    status: str
    pseudonym: str
    author: str
    specialty: str
    signed_at: datetime
    conclusion: str
    sections: tuple[Section, ...]
    language: str = "en"

    def __post_init__(self) -> None:
        require_aware(signed_at=self.signed_at)


@dataclass(frozen=True)
class ReportSubject:
    """Whose name stands on every page: the patient in the identified rendition, the pseudonym in the other one."""

    name: str
    record_number: str
    birth_date: date | None


@dataclass(frozen=True)
class Institution:
    """The centre that answers for a report: its name on the cover, contact and video consult on the closing page."""

    name: str
    contact: str
    invitation: str


@dataclass(frozen=True)
class Rendition:
    """A report made readable, as exact bytes."""

    html: bytes
    pdf: bytes
