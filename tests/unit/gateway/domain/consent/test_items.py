"""Rules 6 to 8: what a provision says of the data, item by item; all items leave or none."""

from datetime import date
from typing import Any

import pytest

from gateway.domain.consent import Coding, Item, Outcome, Provision, decide
from tests.unit.gateway.domain.consent.builders import (
    ISTANBUL,
    LOINC,
    NO,
    PATHOLOGY,
    STUDY,
    SUMMARY,
    UNKNOWN,
    YES,
    consent,
    deny,
    effects,
    period,
    permit,
    request,
)


def codes(*pairs: tuple[str, str]) -> dict[str, Any]:
    """A provision's code element with one CodeableConcept per pair."""
    return {"codes": tuple(frozenset({Coding(*pair)}) for pair in pairs)}


UNCODED = Item("d9", "DocumentReference")
TRANSLATED = {"codes": (frozenset({Coding(LOINC, "60568-3"), Coding("urn:sct", "1")}),)}


@pytest.mark.parametrize(
    ("element", "item", "expected"),
    [
        ({"classes": frozenset({"ImagingStudy"})}, STUDY, YES),
        ({"classes": frozenset({"DocumentReference"})}, STUDY, NO),
        ({"classes": frozenset({"DocumentReference", "ImagingStudy"})}, STUDY, YES),
        (codes((LOINC, "60568-3")), PATHOLOGY, YES),
        (codes((LOINC, "60568-3")), SUMMARY, NO),
        (codes((LOINC, "60568-3"), (LOINC, "34133-9")), SUMMARY, YES),
        (codes((LOINC, "60568-3")), UNCODED, UNKNOWN),
        (codes((LOINC, "60568-3")), STUDY, UNKNOWN),
        (codes((LOINC, "60568-3"), ("urn:modality", "MR")), STUDY, UNKNOWN),
        (TRANSLATED, PATHOLOGY, YES),
        (TRANSLATED, SUMMARY, NO),
        ({"classes": frozenset({"ImagingStudy"}), **codes((LOINC, "60568-3"))}, UNCODED, NO),
        ({"classes": frozenset({"DocumentReference"}), **codes((LOINC, "60568-3"))}, PATHOLOGY, YES),
        ({"classes": frozenset({"DocumentReference"}), **codes((LOINC, "60568-3"))}, SUMMARY, NO),
        ({"data": frozenset({"DocumentReference/d1"})}, PATHOLOGY, YES),
        ({"data": frozenset({"DocumentReference/d1"})}, SUMMARY, NO),
        ({"data": frozenset({"ImagingStudy/d1"})}, PATHOLOGY, NO),
        (
            {"data": frozenset({"ImagingStudy/s1"})},
            Item("1.2", "ImagingStudy", references=frozenset({"ImagingStudy/s1"})),
            YES,
        ),
        ({"data": frozenset({"ImagingStudy/s1"}), **codes((LOINC, "1"))}, SUMMARY, NO),
        ({"data": frozenset({"DocumentReference/d2"}), **codes((LOINC, "1"))}, UNCODED, NO),
    ],
)
def test_item(element: dict[str, Any], item: Item, expected: tuple[bool, bool]) -> None:
    assert effects(element, item) == expected


@pytest.mark.parametrize(
    ("start", "end", "day", "expected"),
    [
        ("", "", date(2026, 2, 1), YES),
        ("2026-02-01", "", date(2026, 2, 1), YES),
        ("2026-02-01", "", date(2026, 1, 31), NO),
        ("2026-02-02", "", date(2026, 2, 1), NO),
        ("", "2026-02-01", date(2026, 2, 1), YES),
        ("", "2026-01", date(2026, 2, 1), NO),
        ("", "2026-01", date(2026, 1, 31), YES),
        ("2026", "2026", date(2026, 12, 31), YES),
        ("2026", "2026", date(2027, 1, 1), NO),
        ("2026-02-01T12:00:00+03:00", "", date(2026, 2, 1), UNKNOWN),
        ("2026-02-01T00:00:00+03:00", "", date(2026, 2, 1), YES),
        ("2026-02-01T00:00:01+03:00", "", date(2026, 2, 1), UNKNOWN),
        ("", "2026-02-01T12:00:00+03:00", date(2026, 2, 1), UNKNOWN),
        ("", "2026-02-01T23:59:59+03:00", date(2026, 2, 1), YES),
        ("", "2026-01-31T23:59:59+03:00", date(2026, 2, 1), NO),
        ("2026-02-02T00:00:00+03:00", "", date(2026, 2, 1), NO),
        ("2026-02-01", "", None, UNKNOWN),
        ("2026-02-01", "", date(9999, 12, 31), UNKNOWN),
    ],
)
def test_data_period(start: str, end: str, day: date | None, expected: tuple[bool, bool]) -> None:
    element = {"data_period": period(start, end)}
    assert effects(element, Item("s1", "ImagingStudy", date=day), zone=ISTANBUL) == expected


IMAGES = permit(classes=frozenset({"ImagingStudy"}))
DOCUMENTS = permit(classes=frozenset({"DocumentReference"}))


@pytest.mark.parametrize(
    ("provisions", "items", "outcome"),
    [
        pytest.param([permit()], [STUDY, PATHOLOGY, SUMMARY], Outcome.PERMIT, id="one permit for all"),
        pytest.param([IMAGES], [STUDY], Outcome.PERMIT, id="images alone"),
        pytest.param([IMAGES], [STUDY, PATHOLOGY], Outcome.DENY, id="no trimming: the document stops the study"),
        pytest.param([IMAGES, DOCUMENTS], [STUDY, PATHOLOGY], Outcome.PERMIT, id="each item its own consent"),
        pytest.param(
            [permit(deny(data=frozenset({"DocumentReference/d2"})))],
            [STUDY, PATHOLOGY, SUMMARY],
            Outcome.DENY,
            id="one of three denied",
        ),
        pytest.param(
            [permit(deny(data=frozenset({"DocumentReference/d2"})))],
            [STUDY, PATHOLOGY],
            Outcome.PERMIT,
            id="without the denied one",
        ),
        pytest.param(
            [permit(), permit(deny(data_period=period(end="2025")))],
            [STUDY, SUMMARY],
            Outcome.DENY,
            id="denied by the date of one",
        ),
    ],
)
def test_all_items_or_nothing(provisions: list[Provision], items: list[Item], outcome: Outcome) -> None:
    consents = [consent(one, id=f"c{at}") for at, one in enumerate(provisions)]
    assert decide(consents, request(*items)).outcome is outcome


def test_four_hundred_items_are_counted_and_three_named() -> None:
    instances = [Item(f"i{number}", "ImagingStudy") for number in range(400)]
    decision = decide([consent(DOCUMENTS)], request(PATHOLOGY, *instances))
    assert decision.reasons[0] == (
        "No consent permits 400 of 401 items (ImagingStudy/i0, ImagingStudy/i1, ImagingStudy/i2, ...) to leave "
        "(disclose-to-reviewer)."
    )
