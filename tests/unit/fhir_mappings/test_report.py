from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from fhir_mappings.diagnostic_report import report_from_fhir, report_identifier
from fhir_mappings.report_pair import pair_in_bundle
from gateway.domain.errors import Invalid, Unprocessable
from gateway.domain.party import Identifier
from gateway.domain.report import SECTION_TITLES, Report
from tests.unit.fhir_mappings.samples import REVIEWER_SYSTEM, changed, composition, diagnostic_report, div

REPORT_URL = "urn:uuid:6f1a3b0e-5d1c-4f4e-9a57-0f0f5b8f3d11"
COMPOSITION_URL = "urn:uuid:1d0f7b5a-3c55-4a0c-8a31-5b1f6c2f0e22"
EU_LINK = "http://hl7.eu/fhir/extensions/StructureDefinition/composition-diagnosticReportReference"
R5_LINK = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.composition"


def read(report: dict[str, Any], document: dict[str, Any]) -> Report:
    return report_from_fhir(
        report,
        document,
        id="r1",
        version=2,
        diagnostic_report_url=REPORT_URL,
        composition_url=COMPOSITION_URL,
    )


def link(url: str, target: str) -> list[dict[str, Any]]:
    return [{"url": url, "valueReference": {"reference": target}}]


def test_the_report_is_read_whole() -> None:
    report = read(diagnostic_report(), composition())
    assert (report.id, report.version, report.status) == ("r1", 2, "final")
    assert (report.pseudonym, report.author) == ("CS-7F3K", "Prof. Dr. Deniz Yıldırım")
    assert report.specialty == "Head and neck surgery"
    assert report.signed_at == datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=3)))
    assert report.conclusion == "The diagnosis is confirmed; the plan should change."
    assert report.language == "en"
    assert {section.code: section.title for section in report.sections} == SECTION_TITLES
    assert report.sections[1].html == div("<p>About diagnostic-evaluation.</p>")
    assert report_identifier(diagnostic_report()) == Identifier(REVIEWER_SYSTEM, "R-1")


def test_sections_come_in_any_order_and_leave_in_that_of_the_document() -> None:
    document = composition()
    document["section"].reverse()
    assert [section.code for section in read(diagnostic_report(), document).sections] == list(SECTION_TITLES)


@pytest.mark.parametrize("target", [REPORT_URL, "DiagnosticReport/d1"])
def test_an_extension_links_the_two_without_a_shared_identifier(target: str) -> None:
    report = changed(diagnostic_report(), "id", "d1")
    unnamed = changed(composition(), "identifier", ...)
    assert read(report, changed(unnamed, "extension", link(EU_LINK, target))).version == 2
    assert read(changed(report, "extension", link(R5_LINK, COMPOSITION_URL)), unnamed).version == 2


@pytest.mark.parametrize(
    ("report", "document"),
    [
        (diagnostic_report(), changed(composition(), "identifier.value", "R-2")),
        (diagnostic_report(), changed(composition(), "identifier", ...)),
        (changed(diagnostic_report(), "extension", link(R5_LINK, "Composition/other")), composition()),
        (diagnostic_report(), changed(composition(), "extension", link(EU_LINK, "urn:uuid:" + "0" * 8))),
    ],
    ids=["another identifier", "no link", "link elsewhere", "link elsewhere from the composition"],
)
def test_two_that_do_not_belong_together_are_refused(report: dict[str, Any], document: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable):
        read(report, document)


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("status", "preliminary", "status"),
        ("code", {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]}, "code"),
        ("category", ..., "category"),
        ("issued", ..., "issued"),
        ("effectiveDateTime", "2026-03-02", "effectiveDateTime"),
        ("subject", {"reference": "Patient/p1"}, "subject.reference"),
        ("subject.display", "Ayşe Öztürk", "subject"),
        ("subject.identifier.system", "https://clinic.example/mrn", "subject"),
        ("subject.identifier.value", "  ", "subject.identifier.value"),
        ("subject", ..., "subject"),
        ("performer", [{"reference": "Organization/1", "identifier": {"assigner": {"reference": "Patient/1"}}}], ...),
        (
            "contained",
            [{"resourceType": "Patient", "id": "p", "generalPractitioner": [{"reference": "#"}]}],
            "contained",
        ),
        ("presentedForm", [{"title": "mine"}], "presentedForm"),
        ("result", [{"reference": "Observation/1"}], "result"),
        ("_conclusion", {"extension": [{"url": "urn:x", "valueString": "y"}]}, "_conclusion"),
    ],
)
def test_a_diagnostic_report_that_breaks_a_rule_is_refused(path: str, value: Any, at: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        read(changed(diagnostic_report(), path, value), composition())
    if at is not ...:
        assert refusal.value.at == f"DiagnosticReport.{at}"
    assert "Öztürk" not in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("status", "preliminary", "status"),
        ("type", {"text": "report"}, "type"),
        ("date", "2026-03-02", "date"),
        ("author", [{"reference": "Practitioner/1"}], "author[0].display"),
        ("author", [{"reference": "Patient/1", "display": "x"}], "author[0].reference"),
        ("subject.identifier.value", "CS-OTHER", "subject"),
        ("encounter", {"reference": "Encounter/1"}, "encounter"),
        ("section", ..., "section"),
        ("section[3]", ..., "section"),
        ("section[3]", composition()["section"][0], "section[3].code"),
        ("section[3].code.coding[0].code", "appendix", "section[3].code"),
        ("section[3].title", "Summary", "section[3].title"),
        ("section[3].text", ..., "section[3].text"),
        ("section[3].text.div", div("<p>  </p>"), "section[3].text.div"),
        ("section[3].text.div", div('<p onclick="x()">x</p>'), "section[3].text.div"),
        ("section[3].text.div", div('<a href="https://elsewhere.example">x</a>'), "section[3].text.div"),
        ("section[3].entry", [{"reference": "Observation/1"}], "section[3]"),
    ],
)
def test_a_composition_that_breaks_a_rule_is_refused(path: str, value: Any, at: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(diagnostic_report(), changed(composition(), path, value))
    assert refusal.value.at == f"Composition.{at}"


def test_two_languages_are_refused_and_one_is_kept() -> None:
    arabic = changed(composition(), "language", "ar")
    assert read(diagnostic_report(), arabic).language == "ar"
    with pytest.raises(Unprocessable):
        read(changed(diagnostic_report(), "language", "en"), arabic)


def test_a_bundle_brings_exactly_one_of_each() -> None:
    entries = [
        {"fullUrl": REPORT_URL, "resource": diagnostic_report()},
        {"fullUrl": COMPOSITION_URL, "resource": composition()},
    ]
    pair = pair_in_bundle({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert (pair.diagnostic_report, pair.composition) == (diagnostic_report(), composition())
    assert (pair.diagnostic_report_url, pair.composition_url) == (REPORT_URL, COMPOSITION_URL)
    for wrong in ([], entries[:1], [*entries, entries[1]]):
        with pytest.raises(Unprocessable):
            pair_in_bundle({"resourceType": "Bundle", "type": "transaction", "entry": wrong})
