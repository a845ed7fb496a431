"""Rules 1, 6 and 7: what a provision names against recipient, purpose and action."""

from typing import Any

import pytest

from gateway.domain.consent import Coding, Outcome, PartyReference, Provision, Recipient, decide
from gateway.domain.consent.vocabulary import ACT_REASON
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier
from tests.unit.gateway.domain.consent.builders import (
    NO,
    NOBODY,
    OTHER,
    REVIEWER,
    UNKNOWN,
    YES,
    actions,
    consent,
    effects,
    permit,
    purposes,
    request,
)


def by(system: str, value: str) -> PartyReference:
    return PartyReference(identifier=Identifier(system, value))


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
