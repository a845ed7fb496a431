"""Rules 4 and 9: what the root says, who wins inside a consent, and who wins across consents."""

import itertools
from collections.abc import Callable

import pytest

from gateway.domain.consent import Coding, Consent, Effect, Outcome, Policy, PolicyRule, Provision, Step, decide
from gateway.domain.delivery import Flow
from tests.unit.gateway.domain.consent.builders import (
    DISCLOSE,
    LOINC,
    NOBODY,
    OPTIN,
    OPTOUT,
    OTHER,
    PATHOLOGY,
    PCF,
    RETURN,
    REVIEWER,
    STUDY,
    SUMMARY,
    bare,
    consent,
    deny,
    permit,
    purposes,
    request,
)

PERMIT, DENY = Outcome.PERMIT, Outcome.DENY
BESIDE = consent(id="beside")
"""A consent that permits; a consent under test that has no say leaves it standing, a dissent does not."""

NAMED = bare(recipients=(REVIEWER,), purposes=purposes("TREAT"))
BOTH_FORMS = Policy(flows=frozenset(Flow))


@pytest.mark.parametrize(
    ("policy", "root", "alone", "beside"),
    [
        pytest.param(OPTIN, NAMED, PERMIT, PERMIT, id="OPTIN permits whom the root names"),
        pytest.param(OPTIN, bare(), DENY, PERMIT, id="OPTIN alone names nobody"),
        pytest.param(OPTIN, bare(permit()), PERMIT, PERMIT, id="OPTIN with a nested permit"),
        pytest.param(OPTIN, permit(), PERMIT, PERMIT, id="OPTIN with the type at the root, as IHE PCF has it"),
        pytest.param(OPTIN, deny(), DENY, DENY, id="OPTIN and a root denial: the denial"),
        pytest.param(OPTOUT, bare(), DENY, DENY, id="OPTOUT is a dissent"),
        pytest.param(OPTOUT, deny(), DENY, DENY, id="OPTOUT said twice"),
        pytest.param(OPTOUT, permit(), DENY, DENY, id="OPTOUT and a root permit: the denial"),
        pytest.param(OPTOUT, bare(permit()), PERMIT, PERMIT, id="OPTOUT with this recipient excepted"),
        pytest.param(OPTOUT, bare(permit(recipients=(OTHER,))), DENY, DENY, id="OPTOUT with another one excepted"),
        pytest.param(OPTOUT, deny(recipients=(OTHER,)), DENY, PERMIT, id="a root denial of somebody else"),
        pytest.param(PCF, permit(), PERMIT, PERMIT, id="PCF permit"),
        pytest.param(PCF, deny(), DENY, DENY, id="PCF rejection is a dissent"),
        pytest.param(PCF, deny(recipients=(REVIEWER,)), DENY, DENY, id="PCF rejection of this recipient"),
        pytest.param(PCF, deny(recipients=(NOBODY,)), DENY, DENY, id="PCF rejection of nobody knows whom"),
        pytest.param(PCF, deny(permit()), PERMIT, PERMIT, id="PCF rejection with an exception"),
        pytest.param(PCF, permit(deny(purposes=purposes("HRESCH"))), PERMIT, PERMIT, id="PCF with a foreign exception"),
        pytest.param(PCF, NAMED, DENY, PERMIT, id="PCF without a type says nothing"),
        pytest.param(DISCLOSE, permit(), PERMIT, PERMIT, id="our form permits"),
        pytest.param(DISCLOSE, NAMED, DENY, PERMIT, id="our form without a type says nothing"),
        pytest.param(DISCLOSE, bare(permit()), PERMIT, PERMIT, id="our form in the R4 shape"),
        pytest.param(DISCLOSE, deny(), DENY, PERMIT, id="our form not agreed to: no permit from it, no dissent"),
        pytest.param(DISCLOSE, deny(permit()), PERMIT, PERMIT, id="our form: all but"),
        pytest.param(DISCLOSE, permit(deny()), DENY, DENY, id="our form: a nested denial denies"),
        pytest.param(Policy(PolicyRule.OPTOUT, DISCLOSE.flows), bare(), DENY, PERMIT, id="our form with OPTOUT"),
        pytest.param(Policy(PolicyRule.OPTIN, DISCLOSE.flows), NAMED, PERMIT, PERMIT, id="our form with OPTIN"),
        pytest.param(BOTH_FORMS, deny(), DENY, PERMIT, id="one paper for both flows"),
        pytest.param(RETURN, permit(deny()), DENY, PERMIT, id="the other flow's form has no say"),
    ],
)
def test_the_root(policy: Policy, root: Provision, alone: Outcome, beside: Outcome) -> None:
    given = consent(root, policy)
    assert decide([given], request()).outcome is alone
    assert decide([given, BESIDE], request()).outcome is beside


@pytest.mark.parametrize(("policy", "beside"), [(OPTIN, PERMIT), (OPTOUT, DENY), (DISCLOSE, PERMIT)])
def test_without_any_provision_only_optout_speaks(policy: Policy, beside: Outcome) -> None:
    given = consent(policy=policy, id="c9")
    empty = Consent(**{**vars(given), "provision": None})
    assert decide([empty], request()).outcome is DENY
    decision = decide([empty, BESIDE], request())
    assert decision.outcome is beside
    assert next(step for step in decision.steps if step.consent.id == "c9").path == "Consent.policyRule"


FOREIGN = {"recipients": (OTHER,)}


@pytest.mark.parametrize(
    ("root", "outcome"),
    [
        pytest.param(permit(deny()), DENY, id="the child denies"),
        pytest.param(bare(deny(permit())), PERMIT, id="the grandchild permits"),
        pytest.param(bare(deny(permit(deny()))), DENY, id="its child denies again"),
        pytest.param(bare(permit(), deny()), DENY, id="equal depth: the denial"),
        pytest.param(bare(deny(), permit()), DENY, id="equal depth, the other order"),
        pytest.param(bare(deny(), deny(permit())), PERMIT, id="the deepest wins across branches"),
        pytest.param(bare(permit(), deny(permit()), permit(deny())), DENY, id="two deepest: the denial"),
        pytest.param(bare(permit(deny(**FOREIGN))), PERMIT, id="a denial of somebody else"),
        pytest.param(bare(permit(deny(permit(), **FOREIGN))), PERMIT, id="what is inside of it does not count"),
        pytest.param(
            bare(permit(permit(deny(), **FOREIGN))), PERMIT, id="a denial under an ancestor that does not match"
        ),
        pytest.param(bare(deny(permit(permit(), **FOREIGN))), DENY, id="a permit under one that does not match"),
        pytest.param(bare(permit(deny(), **FOREIGN), **FOREIGN), DENY, id="the root does not match"),
        pytest.param(
            bare(permit(permit(deny(), recipients=(NOBODY,)))), DENY, id="a denial under an unresolved ancestor"
        ),
        pytest.param(bare(deny(permit(), recipients=(NOBODY,))), DENY, id="a permit under an unresolved ancestor"),
        pytest.param(bare(permit(deny(recipients=(NOBODY,)))), DENY, id="an unresolved denial hits"),
        pytest.param(bare(permit(deny(permit(), recipients=(NOBODY,)))), DENY, id="and its exception misses"),
        pytest.param(bare(permit(deny(purposes=purposes("TREAT")))), DENY, id="denied for the purpose"),
        pytest.param(bare(permit(deny(purposes=purposes("HPAYMT")))), PERMIT, id="denied for another purpose"),
    ],
)
@pytest.mark.parametrize("policy", [OPTIN, PCF, DISCLOSE])
def test_the_deepest_match_wins(root: Provision, outcome: Outcome, policy: Policy) -> None:
    assert decide([consent(root, policy)], request()).outcome is outcome


@pytest.mark.parametrize(
    ("consents", "outcome"),
    [
        pytest.param([consent(), consent(id="c2")], PERMIT, id="two permits"),
        pytest.param([consent(), consent(permit(**FOREIGN), id="c2")], PERMIT, id="a permit and one for somebody else"),
        pytest.param([consent(), consent(permit(deny()), id="c2")], DENY, id="a denial beats a permit"),
        pytest.param([consent(), consent(deny(), OPTIN, id="c2")], DENY, id="a dissent beats a permit"),
        pytest.param(
            [consent(bare(permit(permit(permit())))), consent(bare(), OPTOUT, id="c2")],
            DENY,
            id="however deep the permit of the other consent is",
        ),
        pytest.param([consent(), consent(deny(), id="c2")], PERMIT, id="a form that was not agreed to does not"),
        pytest.param([consent(id="a"), consent(deny(), OPTIN, id="b"), consent(id="c")], DENY, id="one of three"),
    ],
)
def test_across_consents_a_denial_wins(consents: list[Consent], outcome: Outcome) -> None:
    for order in itertools.permutations(consents):
        assert decide(order, request()).outcome is outcome


def test_the_way_to_a_decision() -> None:
    root = bare(permit(deny(**FOREIGN), deny(recipients=(NOBODY,))), permit(purposes=purposes("HRESCH")))
    steps = decide([consent(root)], request(STUDY)).steps
    key = consent().key
    assert steps == (
        Step(key, "Consent.provision", None, False, "it says neither permit nor deny"),
        Step(key, "Consent.provision.provision[0]", Effect.PERMIT, True, "every element matches"),
        Step(
            key,
            "Consent.provision.provision[0].provision[0]",
            Effect.DENY,
            False,
            "Consent.provision.provision[0].provision[0] names another recipient",
        ),
        Step(
            key,
            "Consent.provision.provision[0].provision[1]",
            Effect.DENY,
            True,
            "it may match and counts as a denial: whether Consent.provision.provision[0].provision[1] names this "
            "recipient cannot be resolved",
        ),
        Step(
            key,
            "Consent.provision.provision[1]",
            Effect.PERMIT,
            False,
            "Consent.provision.provision[1] names another purpose",
        ),
    )


def test_a_child_says_which_ancestor_does_not_match() -> None:
    steps = decide([consent(bare(permit(permit(), **FOREIGN)))], request()).steps
    assert [step.why for step in steps[1:]] == ["Consent.provision.provision[0] names another recipient"] * 2


@pytest.mark.parametrize(
    ("root", "why"),
    [
        (permit(classes=frozenset({"Media"})), "it covers none of the items"),
        (permit(codes=(frozenset(),)), "whether it covers an item cannot be resolved"),
        (permit(recipients=()), "a permit has to name recipient and purpose"),
        (deny(), "a denial at the root of a form for one flow is only no permit"),
    ],
)
def test_why_a_provision_does_not_apply(root: Provision, why: str) -> None:
    (step,) = decide([consent(root)], request()).steps
    assert (step.matched, step.why) == (False, why)


def test_a_denial_of_an_item_that_is_not_known_enough_says_so() -> None:
    steps = decide([consent(permit(deny(codes=(frozenset(),))))], request()).steps
    assert steps[1].why == "it may match and counts as a denial: code or date of an item is not known"


@pytest.mark.parametrize("effect", [permit, deny])
def test_a_provision_that_covers_a_part_says_so(effect: Callable[..., Provision]) -> None:
    coded = {"codes": (frozenset({Coding(LOINC, "60568-3")}),)}
    steps = decide([consent(permit(effect(**coded)))], request(PATHOLOGY, SUMMARY)).steps
    assert (steps[1].matched, steps[1].why) == (True, "it covers some of the items")


def test_a_permit_misses_the_item_it_cannot_be_compared_with() -> None:
    coded = permit(codes=(frozenset({Coding(LOINC, "60568-3")}),))
    decision = decide([consent(coded)], request(PATHOLOGY, STUDY))
    assert decision.outcome is Outcome.DENY
    assert decision.steps[0].why == "it covers some of the items"
