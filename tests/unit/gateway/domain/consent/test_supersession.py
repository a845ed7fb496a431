"""Rule 9: a newer consent with the same identifier, or a Provenance of revision, replaces an older one."""

from dataclasses import replace

import pytest

from gateway.domain.consent import (
    Consent,
    ConsentVersion,
    Moment,
    Outcome,
    PartyReference,
    decide,
)
from gateway.domain.party import Identifier
from tests.unit.gateway.domain.consent.builders import (
    OPTIN,
    RETURN,
    consent,
    deny,
    request,
)

FORM = frozenset({Identifier("urn:form", "7")})
OTHER_FORM = frozenset({Identifier("urn:form", "8")})
MARCH_1, MARCH_5 = Moment.parse("2026-03-01"), Moment.parse("2026-03-05")


OLD_PERMIT = consent(id="old", identifiers=FORM, date_time=MARCH_1)
OLD_DISSENT = consent(deny(), OPTIN, id="old", identifiers=FORM, date_time=MARCH_1)
NEW_PERMIT = consent(id="new", identifiers=FORM, date_time=MARCH_5)
NEW_SILENCE = consent(deny(), id="new", identifiers=FORM, date_time=MARCH_5)
ELSEWHERE = consent(id="x")


@pytest.mark.parametrize(
    ("consents", "outcome"),
    [
        pytest.param([OLD_DISSENT, NEW_PERMIT], Outcome.PERMIT, id="the newer permit lifts the older dissent"),
        pytest.param([OLD_PERMIT, NEW_SILENCE], Outcome.DENY, id="the newer silence ends the older permit"),
        pytest.param([OLD_DISSENT, NEW_SILENCE, ELSEWHERE], Outcome.PERMIT, id="a lifted dissent is gone"),
        pytest.param([OLD_DISSENT, ELSEWHERE], Outcome.DENY, id="an older dissent of its own stands"),
        pytest.param([OLD_DISSENT, replace(NEW_PERMIT, identifiers=OTHER_FORM)], Outcome.DENY, id="another identifier"),
        pytest.param([OLD_DISSENT, replace(NEW_PERMIT, identifiers=frozenset())], Outcome.DENY, id="no identifier"),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, identifiers=FORM | OTHER_FORM)], Outcome.PERMIT, id="one shared"
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, identifiers=frozenset(), supersedes=frozenset({"old"}))],
            Outcome.PERMIT,
            id="a Provenance says so",
        ),
        pytest.param(
            [replace(OLD_DISSENT, supersedes=frozenset({"new"})), NEW_PERMIT], Outcome.DENY, id="Provenance before date"
        ),
        pytest.param(
            [
                replace(OLD_DISSENT, supersedes=frozenset({"new"})),
                replace(NEW_PERMIT, supersedes=frozenset({"old"})),
            ],
            Outcome.DENY,
            id="each replaces the other: the permit misses",
        ),
        pytest.param(
            [
                replace(OLD_DISSENT, supersedes=frozenset({"new"})),
                replace(NEW_PERMIT, supersedes=frozenset({"old"})),
                ELSEWHERE,
            ],
            Outcome.DENY,
            id="each replaces the other: the denial stays",
        ),
        pytest.param(
            [replace(OLD_DISSENT, date_time=None), NEW_PERMIT, ELSEWHERE], Outcome.DENY, id="order not known: it stays"
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, date_time=MARCH_1), ELSEWHERE], Outcome.DENY, id="of one day: it stays"
        ),
        pytest.param(
            [replace(OLD_PERMIT, supersedes=frozenset({"new"})), replace(NEW_PERMIT, supersedes=frozenset({"old"}))],
            Outcome.DENY,
            id="each replaces the other: no permit is certain",
        ),
        pytest.param([replace(OLD_DISSENT, date_time=None), NEW_PERMIT], Outcome.DENY, id="order not known"),
        pytest.param([OLD_PERMIT, replace(NEW_PERMIT, date_time=None)], Outcome.DENY, id="neither permit is certain"),
        pytest.param([OLD_DISSENT, replace(NEW_PERMIT, date_time=MARCH_1)], Outcome.DENY, id="the same day"),
        pytest.param(
            [OLD_PERMIT, replace(NEW_PERMIT, date_time=MARCH_1)],
            Outcome.DENY,
            id="of one day: neither permit is certain",
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, date_time=Moment.parse("2026-03"))], Outcome.DENY, id="overlapping"
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, date_time=Moment.parse("2026-03-02"))], Outcome.PERMIT, id="the next day"
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, date_time=Moment.parse("2026-03-02T00:00:00+03:00"))],
            Outcome.PERMIT,
            id="the instant at which the older day ends in the custodian's zone",
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, date_time=Moment.parse("2026-03-01T23:59:59+03:00"))],
            Outcome.DENY,
            id="the last second of the older day",
        ),
        pytest.param(
            [OLD_PERMIT, replace(NEW_PERMIT, status="inactive", provision=None)], Outcome.DENY, id="revoked by a record"
        ),
        pytest.param(
            [OLD_PERMIT, replace(NEW_PERMIT, status="rejected", provision=None)], Outcome.DENY, id="rejected later"
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, status="inactive"), ELSEWHERE], Outcome.DENY, id="revoking lifts nothing"
        ),
        pytest.param(
            [replace(OLD_PERMIT, date_time=Moment.parse("2026-03-09")), replace(NEW_PERMIT, status="inactive")],
            Outcome.PERMIT,
            id="agreed again after the revocation",
        ),
        pytest.param([OLD_PERMIT, replace(NEW_SILENCE, status="draft")], Outcome.PERMIT, id="a draft ends nothing"),
        pytest.param([OLD_PERMIT, replace(NEW_SILENCE, status="proposed")], Outcome.PERMIT, id="nor a proposal"),
        pytest.param([OLD_PERMIT, replace(NEW_SILENCE, status="entered-in-error")], Outcome.PERMIT, id="nor an error"),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, has_signature_or_source=False), ELSEWHERE],
            Outcome.DENY,
            id="an unsigned one lifts nothing",
        ),
        pytest.param(
            [OLD_DISSENT, replace(NEW_PERMIT, is_by_representative=True), ELSEWHERE],
            Outcome.DENY,
            id="nor one of somebody without recorded authority",
        ),
        pytest.param([OLD_PERMIT, replace(NEW_SILENCE, policy=RETURN)], Outcome.PERMIT, id="a form of the other flow"),
        pytest.param(
            [OLD_PERMIT, replace(NEW_SILENCE, policy=RETURN, status="inactive")],
            Outcome.PERMIT,
            id="the other flow's form revoked",
        ),
        pytest.param(
            [OLD_PERMIT, replace(NEW_SILENCE, patient=PartyReference("Patient/p2"))],
            Outcome.PERMIT,
            id="another patient's form of that number",
        ),
        pytest.param(
            [OLD_DISSENT, NEW_SILENCE, replace(NEW_PERMIT, id="newest", date_time=Moment.parse("2026-03-07"))],
            Outcome.PERMIT,
            id="a chain of three",
        ),
    ],
)
def test_supersession(consents: list[Consent], outcome: Outcome) -> None:
    assert decide(consents, request()).outcome is outcome
    assert decide(consents[::-1], request()).outcome is outcome


def test_a_superseded_consent_is_named_in_the_steps() -> None:
    decision = decide([OLD_DISSENT, NEW_PERMIT], request())
    superseded = next(step for step in decision.steps if step.consent.id == "old")
    assert (superseded.path, superseded.matched) == ("Consent", False)
    assert superseded.why == "it is superseded by Consent new version 1"
    assert decision.consents == (ConsentVersion("new", 1),)


def test_an_ended_permit_says_what_ended_it() -> None:
    decision = decide([OLD_PERMIT, replace(NEW_PERMIT, status="inactive")], request())
    assert any("Consent new version 1 ended it" in reason for reason in decision.reasons)


def test_a_permit_of_unclear_order_says_so() -> None:
    decision = decide([replace(OLD_PERMIT, date_time=None), NEW_PERMIT], request())
    assert any(
        "which of it and Consent new version 1 is the newer one is not known" in reason for reason in decision.reasons
    )
