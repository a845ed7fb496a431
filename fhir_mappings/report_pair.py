"""Which Composition belongs to which DiagnosticReport.

R4 has no element for it (R5 added DiagnosticReport.composition). Three ways are read: a shared business identifier,
the HL7 Europe extension on Composition, the cross-version extension on DiagnosticReport. At least one has to be
there, and an extension may not lead elsewhere.
"""

from dataclasses import dataclass
from typing import Any

from fhir_mappings.codes import COMPOSITION_LINK, DIAGNOSTIC_REPORT_LINKS
from fhir_mappings.links import read_identifier
from gateway.domain.errors import Unprocessable


@dataclass(frozen=True)
class ReportPair:
    """The two resources of a report and their fullUrls ('' where the Bundle gives none)."""

    diagnostic_report: dict[str, Any]
    composition: dict[str, Any]
    diagnostic_report_url: str
    composition_url: str


def pair_in_bundle(bundle: dict[str, Any]) -> ReportPair:
    """The one DiagnosticReport and the one Composition of a Bundle; whether they belong together is `check_pair`'s.

    Raises:
        Unprocessable: none of a kind, or several.
    """
    entries = bundle.get("entry", [])
    found = []
    for kind in ("DiagnosticReport", "Composition"):
        members = [entry for entry in entries if entry.get("resource", {}).get("resourceType") == kind]
        if len(members) != 1:
            raise Unprocessable(f"a report comes as exactly one {kind} beside the other", at="Bundle.entry")
        found.append(members[0])
    report, composition = found
    return ReportPair(
        report["resource"], composition["resource"], report.get("fullUrl", ""), composition.get("fullUrl", "")
    )


def check_pair(
    diagnostic_report: dict[str, Any], composition: dict[str, Any], diagnostic_report_url: str, composition_url: str
) -> None:
    """Do nothing when the two belong together, by what they say themselves.

    Raises:
        Unprocessable: nothing links them, or a link names something else.
    """
    names_of_composition = _names(composition, composition_url)
    names_of_report = _names(diagnostic_report, diagnostic_report_url)
    links = [(link, names_of_composition) for link in _linked(diagnostic_report, (COMPOSITION_LINK,))]
    links += [(link, names_of_report) for link in _linked(composition, DIAGNOSTIC_REPORT_LINKS)]
    if any(link not in names for link, names in links):
        raise Unprocessable("the link between the two resources leads elsewhere", at="Composition.extension")
    own = read_identifier(composition.get("identifier", {}))
    identifiers = [read_identifier(item) for item in diagnostic_report.get("identifier", [])]
    if not links and (own is None or own not in identifiers):
        raise Unprocessable("neither an identifier nor an extension links the two", at="Composition.identifier")


def _names(resource: dict[str, Any], full_url: str) -> tuple[str, ...]:
    literal = f"{resource['resourceType']}/{resource['id']}" if "id" in resource else ""
    return tuple(name for name in (full_url, literal) if name)


def _linked(resource: dict[str, Any], urls: tuple[str, ...]) -> list[str]:
    extensions = [item for item in resource.get("extension", []) if item.get("url") in urls]
    return [str(item.get("valueReference", {}).get("reference", "")) for item in extensions]
