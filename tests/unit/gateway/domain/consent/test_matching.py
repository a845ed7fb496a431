"""Rules 1, 6, 7 and 8: what a provision names against recipient, purpose, action and items."""

from datetime import date
from typing import Any

import pytest

from gateway.domain.consent import Coding, Item, Outcome, PartyReference, Provision, Recipient, decide
from gateway.domain.consent.vocabulary import ACT_REASON
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier
from tests.unit.gateway.domain.consent.builders import (
    DISCLOSE,
    ISTANBUL,
    LOINC,
    NOBODY,
    OTHER,
    PATHOLOGY,
    RETURN,
    REVIEWER,
    STUDY,
    SUMMARY,
    actions,
    consent,
    deny,
    period,
    permit,
    purposes,
    request,
)

YES, NO, UNKNOWN = (True, True), (False, False), (False, True)
"""Whether a permit with the element permits, and whether a denial with it denies."""


def effects(element: dict[str, Any], *items: Item, **changes: Any) -> tuple[bool, bool]:
    """What a permit and a denial with the element do, each in a consent that otherwise permits."""
    asked = request(*items, **changes)
    policy = DISCLOSE if asked.flow is Flow.DISCLOSE_TO_REVIEWER else RETURN
    given = decide([consent(permit(**element), policy)], asked).outcome
    everyone = (*map(PartyReference, asked.recipient.references), *map(by_identifier, asked.recipient.identifiers))
    taken = decide([consent(permit(deny(**element), recipients=everyone), policy)], asked).outcome
    return given is Outcome.PERMIT, taken is Outcome.DENY


def by(system: str, value: str) -> PartyReference:
    return by_identifier(Identifier(system, value))


def by_identifier(identifier: Identifier) -> PartyReference:
    return PartyReference(identifier=identifier)


def both(reference: str, system: str, value: str) -> PartyReference:
    return PartyReference(reference, Identifier(system, value))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([REVIEWER], YES),
        ([by("urn:org", "reviewer")], YES),
        ([by("urn:tax", "77")], YES),
        ([OTHER], NO),
        ([by("urn:org", "insurer")], NO),
        ([by("urn:org", "REVIEWER")], NO),
        ([by("urn:duns", "reviewer")], UNKNOWN),
        ([OTHER, REVIEWER], YES),
        ([OTHER, by("urn:org", "insurer")], NO),
        ([OTHER, by("urn:duns", "1")], UNKNOWN),
        ([NOBODY], UNKNOWN),
        ([NOBODY, REVIEWER], YES),
        ([PartyReference("https://elsewhere/fhir/Organization/reviewer")], UNKNOWN),
        ([PartyReference("Group/board")], UNKNOWN),
        ([PartyReference("CareTeam/board")], UNKNOWN),
        ([PartyReference("Patient/p1")], NO),
        ([PartyReference("Practitioner/head")], NO),
        ([PartyReference("PractitionerRole/head")], NO),
        ([both("Organization/reviewer", "urn:org", "reviewer")], YES),
        ([both("Organization/reviewer", "urn:duns", "1")], YES),
        ([both("https://elsewhere/fhir/Organization/9", "urn:org", "reviewer")], YES),
        ([both("Organization/reviewer", "urn:org", "insurer")], UNKNOWN),
        ([both("Organization/insurer", "urn:org", "reviewer")], UNKNOWN),
        ([both("Organization/insurer", "urn:duns", "1")], NO),
        ([both("Organization/insurer", "urn:org", "insurer")], NO),
        ([both("https://elsewhere/fhir/Organization/9", "urn:duns", "1")], UNKNOWN),
    ],
)
def test_recipient(named: list[PartyReference], expected: tuple[bool, bool]) -> None:
    assert effects({"recipients": tuple(named)}) == expected


ROLE = Recipient(
    identifiers=frozenset({Identifier("urn:gln", "role")}),
    references=frozenset({"PractitionerRole/r1"}),
    country="DE",
    organization_identifiers=frozenset({Identifier("urn:org", "reviewer")}),
    organization_references=frozenset({"Organization/reviewer"}),
)
LONE_ROLE = Recipient(frozenset(), frozenset({"PractitionerRole/r1"}), "DE")
PERSON = Recipient(frozenset(), frozenset({"Practitioner/x"}), "DE")
NAMELESS = Recipient(frozenset({Identifier("urn:org", "reviewer")}), frozenset(), "DE")


@pytest.mark.parametrize(
    ("recipient", "named", "expected"),
    [
        pytest.param(ROLE, REVIEWER, YES, id="an Organization covers its roles"),
        pytest.param(ROLE, by("urn:org", "reviewer"), YES, id="by identifier too"),
        pytest.param(ROLE, PartyReference("PractitionerRole/r1"), YES, id="the role itself"),
        pytest.param(ROLE, by("urn:gln", "role"), YES, id="the role itself by identifier"),
        pytest.param(ROLE, PartyReference("PractitionerRole/r2"), NO, id="another role there"),
        pytest.param(ROLE, OTHER, NO, id="another Organization"),
        pytest.param(ROLE, PartyReference("Practitioner/x"), UNKNOWN, id="whose role it is, is not known"),
        pytest.param(ROLE, PartyReference("Device/x"), NO, id="a device"),
        pytest.param(LONE_ROLE, REVIEWER, UNKNOWN, id="the Organization of the role is not known"),
        pytest.param(
            PERSON, PartyReference("PractitionerRole/r1"), UNKNOWN, id="the roles of the person are not known"
        ),
        pytest.param(PERSON, PartyReference("Practitioner/y"), NO, id="another person"),
        pytest.param(NAMELESS, REVIEWER, UNKNOWN, id="no reference to compare with"),
        pytest.param(NAMELESS, by("urn:org", "reviewer"), YES, id="the identifier suffices"),
    ],
)
def test_who_covers_whom(recipient: Recipient, named: PartyReference, expected: tuple[bool, bool]) -> None:
    assert effects({"recipients": (named,)}, recipient=recipient) == expected


def test_a_role_in_a_consent_never_covers_its_organization() -> None:
    assert effects({"recipients": (PartyReference("PractitionerRole/r1"),)}) == NO


def test_a_department_is_not_covered_by_the_whole() -> None:
    department = Recipient(frozenset(), frozenset({"Organization/department"}), "DE")
    assert effects({"recipients": (REVIEWER,)}, recipient=department) == NO
    with pytest.raises(ValueError, match="not covered"):
        Recipient(
            frozenset(), frozenset({"Organization/d"}), "DE", organization_references=frozenset({"Organization/w"})
        )
    with pytest.raises(ValueError, match="not covered"):
        Recipient(
            frozenset(),
            frozenset({"Organization/d"}),
            "DE",
            organization_identifiers=frozenset({Identifier("urn:org", "whole")}),
        )


def test_only_an_organization_covers() -> None:
    with pytest.raises(ValueError, match="something else"):
        Recipient(
            frozenset(), frozenset({"PractitionerRole/r"}), "DE", organization_references=frozenset({"Practitioner/x"})
        )


TO_REVIEWER, TO_CLINIC = Flow.DISCLOSE_TO_REVIEWER, Flow.RETURN_TO_CLINIC


@pytest.mark.parametrize(
    ("flow", "codes", "expected"),
    [
        (TO_REVIEWER, ["TREAT"], YES),
        (TO_REVIEWER, ["COC"], NO),
        (TO_REVIEWER, ["ETREAT"], NO),
        (TO_REVIEWER, ["BTG"], NO),
        (TO_REVIEWER, ["ERTREAT"], NO),
        (TO_REVIEWER, ["CLINTRL"], NO),
        (TO_REVIEWER, ["HPAYMT", "HOPERAT"], NO),
        (TO_REVIEWER, ["HPAYMT", "TREAT"], YES),
        (TO_REVIEWER, ["PATRQT"], NO),
        (TO_REVIEWER, ["PurposeOfUse"], UNKNOWN),
        (TO_REVIEWER, ["SOMETHING"], UNKNOWN),
        (TO_REVIEWER, ["treat"], UNKNOWN),
        (TO_REVIEWER, ["ETREAT", "SOMETHING"], UNKNOWN),
        (TO_CLINIC, ["COC"], YES),
        (TO_CLINIC, ["TREAT"], YES),
        (TO_CLINIC, ["ETREAT", "BTG"], NO),
        (TO_CLINIC, ["PATRQT"], NO),
        (TO_CLINIC, ["HPAYMT"], NO),
    ],
)
def test_purpose(flow: Flow, codes: list[str], expected: tuple[bool, bool]) -> None:
    assert effects({"purposes": purposes(*codes)}, flow=flow) == expected


def test_a_purpose_of_another_system_is_not_resolved() -> None:
    assert effects({"purposes": frozenset({Coding("urn:local", "TREAT")})}) == UNKNOWN
    assert effects({"purposes": frozenset({Coding("urn:local", "x"), Coding(ACT_REASON, "TREAT")})}) == YES


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], YES),
        (["disclose"], YES),
        (["access"], YES),
        (["access", "disclose"], YES),
        (["collect", "disclose"], YES),
        (["collect"], NO),
        (["use"], NO),
        (["correct"], NO),
        (["collect", "use", "correct"], NO),
        (["transmit"], UNKNOWN),
        (["collect", "transmit"], UNKNOWN),
    ],
)
def test_action(codes: list[str], expected: tuple[bool, bool]) -> None:
    assert effects({"actions": actions(*codes)}) == expected


def test_an_action_of_another_system_is_not_resolved() -> None:
    assert effects({"actions": frozenset({Coding("urn:local", "disclose")})}) == UNKNOWN


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


def test_across_elements_all_must_match() -> None:
    element: dict[str, Any] = {
        "recipients": (REVIEWER,),
        "purposes": purposes("HRESCH"),
        "actions": actions("disclose"),
    }
    assert effects(element) == NO
    assert effects({**element, "purposes": purposes("TREAT")}) == YES
    assert effects({**element, "purposes": purposes("TREAT"), "recipients": (OTHER,)}) == NO
    assert effects({**element, "purposes": purposes("TREAT"), "actions": actions("collect")}) == NO


def test_no_beats_unresolved_across_elements() -> None:
    assert effects({"recipients": (NOBODY,), "purposes": purposes("HRESCH")}) == NO
    assert effects({"recipients": (NOBODY,), "actions": actions("transmit")}) == UNKNOWN


@pytest.mark.parametrize(
    ("provision", "outcome"),
    [
        (permit(recipients=()), Outcome.DENY),
        (permit(purposes=frozenset()), Outcome.DENY),
        (permit(recipients=(), purposes=frozenset()), Outcome.DENY),
        (permit(actions=frozenset()), Outcome.PERMIT),
        (permit(permit(recipients=(), purposes=frozenset())), Outcome.PERMIT),
        (Provision(recipients=(REVIEWER,), provisions=(permit(recipients=()),)), Outcome.PERMIT),
        (Provision(purposes=purposes("TREAT"), provisions=(permit(purposes=frozenset()),)), Outcome.PERMIT),
        (Provision(provisions=(permit(recipients=()), permit(purposes=frozenset()))), Outcome.DENY),
    ],
)
def test_a_permit_names_recipient_and_purpose_itself_or_around_it(provision: Provision, outcome: Outcome) -> None:
    assert decide([consent(provision)], request()).outcome is outcome


def test_a_denial_needs_no_names() -> None:
    assert effects({}) == YES


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
