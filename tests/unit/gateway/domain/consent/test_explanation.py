"""A decision in words: what a person reads, and that the steps alone give the decision again."""

from dataclasses import replace
from datetime import date, timedelta

from gateway.domain.consent import Coding, DisclosureRequest, Effect, Outcome, Provision, decide, explain
from gateway.domain.consent.vocabulary import CONFIDENTIALITY
from tests.unit.gateway.domain.consent.builders import (
    ISTANBUL,
    LOINC,
    NOBODY,
    OTHER,
    PATHOLOGY,
    STUDY,
    actions,
    bare,
    consent,
    deny,
    period,
    permit,
    purposes,
    request,
)
from tests.unit.gateway.domain.consent.notation import rows

BOTH = "2 of 2 items (ImagingStudy/s1, DocumentReference/d1)"
UNRESOLVED = "whether Consent.provision.provision[0].provision[0] names this recipient cannot be resolved"
LONG_AGO = date(2001, 1, 1)
ANSWERS = {Outcome.PERMIT: "Yes", Outcome.DENY: "No", Outcome.INDETERMINATE: "It could not be decided"}


def test_every_row_of_the_table_can_be_explained() -> None:
    for row in rows():
        if row.notation["outcome"] == "refused":
            continue
        decision = row.decided()
        told = explain(row.consents, row.request, decision)
        assert told.answer.startswith(ANSWERS[decision.outcome]), row.name
        applied = [one.finding.startswith("It applies") for one in told.passages]
        assert applied == [bool(step.items) for step in decision.steps], row.name
        assert decision.outcome is not Outcome.PERMIT or any(applied), row.name


def test_the_words_about_one_that_cannot_be_read() -> None:
    asked = request(STUDY, PATHOLOGY)
    given = [replace(consent(), unread="Consent.policy: no policy is known")]
    told = explain(given, asked, decide(given, asked))
    assert told.answer == "It could not be decided; nothing is sent."
    why = (
        "it cannot be read (Consent.policy: no policy is known), so it permits nothing, and what it denies is not known"
    )
    found = [(one.path, one.says, one.finding) for one in told.passages]
    assert found == [("Consent", "", f"It applies to {BOTH}: {why}.")]


def test_the_words() -> None:
    root = bare(
        permit(
            deny(recipients=(OTHER, NOBODY), codes=(frozenset({Coding(LOINC, "60568-3")}),)),
            period=period(end="2026-03-31"),
        ),
        period=period(start="2026"),
    )
    asked = request(STUDY, PATHOLOGY, zone=ISTANBUL)
    given = [consent(root), consent(id="c2", status="inactive")]
    told = explain(given, asked, decide(given, asked))
    assert told.question == (
        "May 2 of 2 items (ImagingStudy/s1, DocumentReference/d1) leave from DE to Organization/reviewer, "
        "urn:org|reviewer, urn:tax|77 in DE, for TREAT (disclose-to-reviewer), at 2026-03-10T12:00:00+03:00?"
    )
    assert told.answer == "No, until 2026-04-01T00:00:00+03:00."
    assert [(str(one.consent), one.path, one.says, one.finding) for one in told.passages] == [
        (
            "Consent c1 version 1",
            "Consent.provision",
            "What is inside of it is limited: in force from 2026-01-01T00:00:00+03:00.",
            "It does not apply: it says neither permit nor deny.",
        ),
        (
            "Consent c1 version 1",
            "Consent.provision.provision[0]",
            "It permits: to Organization/reviewer; for TREAT; in force until before 2026-04-01T00:00:00+03:00.",
            f"It applies to {BOTH}: every element matches.",
        ),
        (
            "Consent c1 version 1",
            "Consent.provision.provision[0].provision[0]",
            "It denies: to Organization/insurer or somebody who is named in words only; coded http://loinc.org|60568-3.",
            f"It applies to {BOTH}: it may match and counts as a denial: {UNRESOLVED}.",
        ),
        ("Consent c2 version 1", "Consent", "", "It does not count: its status is inactive, not active."),
    ]


def test_a_label_says_which_way_it_reaches() -> None:
    label = frozenset({Coding("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "N")})
    given, asked = [consent(permit(deny(labels=label), labels=label))], request(replace(STUDY, labels=label))
    told = explain(given, asked, decide(given, asked))
    assert [one.says.partition("labelled ")[2] for one in told.passages] == ["N or lower.", "N or higher."]


def test_a_label_of_another_system_is_told_with_its_system() -> None:
    labels = frozenset({Coding(CONFIDENTIALITY, "N"), Coding("aaa:local", "x"), Coding("urn:local", "y")})
    assert _said(deny(labels=labels)) == "It denies: labelled N or higher or aaa:local|x or urn:local|y."


def test_the_first_three_items_are_named() -> None:
    items = [replace(STUDY, id=f"s{number}") for number in range(1, 6)]
    named = "ImagingStudy/s1, ImagingStudy/s2, ImagingStudy/s3"
    asked = [_asked(request(*items[:count])) for count in (2, 3, 4, 5)]
    assert [one.partition(" leave ")[0] for one in asked] == [
        "May 2 of 2 items (ImagingStudy/s1, ImagingStudy/s2)",
        f"May 3 of 3 items ({named})",
        f"May 4 of 4 items ({named}, ...)",
        f"May 5 of 5 items ({named}, ...)",
    ]


def test_a_period_that_is_over_before_it_begins_is_at_no_time() -> None:
    for start in ("2026-04-01T00:00:00+03:00", "2026-04-02"):
        never = deny(period=period(start, "2026-03-31"))
        assert _said(never) == "It denies: in force at no time.", start


def test_the_steps_tell_on_which_items() -> None:
    root = permit(deny(classes=frozenset({"DocumentReference"})), deny(recipients=(OTHER,)))
    steps = decide([consent(root)], request(STUDY, PATHOLOGY)).steps
    assert [(step.effect, step.items, step.depth) for step in steps] == [
        (Effect.PERMIT, (STUDY, PATHOLOGY), 0),
        (Effect.DENY, (PATHOLOGY,), 1),
        (Effect.DENY, (), 1),
    ]
    assert [step.why for step in steps[:2]] == ["every element matches", "it covers some of the items"]


def test_what_cannot_be_resolved_is_told_of_a_denial_alone() -> None:
    uncoded, pathology = replace(PATHOLOGY, id="d9", codes=frozenset()), frozenset({Coding(LOINC, "60568-3")})
    root = permit(permit(codes=(pathology,)), deny(codes=(pathology,)))
    steps = decide([consent(root)], request(PATHOLOGY, uncoded)).steps
    assert [(step.effect, step.items, step.why) for step in steps[1:]] == [
        (Effect.PERMIT, (PATHOLOGY,), "it covers some of the items"),
        (
            Effect.DENY,
            (PATHOLOGY, uncoded),
            "it may match and counts as a denial: code, date or label of an item is not known",
        ),
    ]


def test_the_first_element_that_cannot_be_resolved_is_told() -> None:
    unknown = {"purposes": purposes("WHATEVER"), "actions": actions("WHATEVER")}
    root = permit(deny(recipients=(NOBODY,), **unknown), deny(**unknown))
    told = [step.why.partition("counts as a denial: ")[2] for step in decide([consent(root)], request()).steps[1:]]
    assert told == [
        "whether Consent.provision.provision[0] names this recipient cannot be resolved",
        "whether Consent.provision.provision[1] names this purpose cannot be resolved",
    ]


def test_of_many_items_all_are_told_in_the_order_of_the_request() -> None:
    days = [replace(STUDY, id=f"s{number}", date=LONG_AGO + timedelta(days=number)) for number in range(300)]
    items = (*days, replace(days[0], id="again"))
    decision = decide([consent()], request(*items))
    assert decision.reasons == ("Consent c1 version 1, Consent.provision, permits all items (301).",)
    assert decision.steps[0].items == items


def test_a_consent_that_does_not_count_is_one_step_at_the_top() -> None:
    (step,) = decide([consent(status="inactive")], request()).steps
    assert (step.path, step.effect, step.items, step.depth) == ("Consent", None, (), 0)


def _asked(about: DisclosureRequest) -> str:
    return explain([], about, decide([], about)).question


def _said(rule: Provision) -> str:
    """What a rule inside of the usual permit says."""
    given, asked = [consent(permit(rule))], request()
    return explain(given, asked, decide(given, asked)).passages[1].says
