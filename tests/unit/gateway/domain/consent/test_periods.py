"""Rule 5: in force from the start to the end of the end's precision, in the custodian's zone."""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from gateway.domain.consent import Moment, Outcome, Provision, decide
from gateway.domain.consent.period import FAR_FUTURE
from tests.unit.gateway.domain.consent.builders import (
    BERLIN,
    DISCLOSE,
    ISTANBUL,
    NOON,
    OPTIN,
    OPTOUT,
    STUDY,
    bare,
    consent,
    deny,
    period,
    permit,
    request,
)

LAST = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "zone", "first", "after"),
    [
        ("2026-03-31", ISTANBUL, "2026-03-30T21:00:00Z", "2026-03-31T21:00:00Z"),
        ("2026-03-31", BERLIN, "2026-03-30T22:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-03-29", BERLIN, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),  # 23 hours: clocks go forward
        ("2026-10-25", BERLIN, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),  # 25 hours: clocks go back
        ("2026-03", BERLIN, "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-02", ISTANBUL, "2026-01-31T21:00:00Z", "2026-02-28T21:00:00Z"),
        ("2028-02", ISTANBUL, "2028-01-31T21:00:00Z", "2028-02-29T21:00:00Z"),
        ("2026-12", ISTANBUL, "2026-11-30T21:00:00Z", "2026-12-31T21:00:00Z"),
        ("2026-12-31", ISTANBUL, "2026-12-30T21:00:00Z", "2026-12-31T21:00:00Z"),
        ("2026", ISTANBUL, "2025-12-31T21:00:00Z", "2026-12-31T21:00:00Z"),
        ("2026-03-31T10:00:00Z", ISTANBUL, "2026-03-31T10:00:00Z", "2026-03-31T10:00:01Z"),
        ("2026-03-31T10:00:00.5+03:00", BERLIN, "2026-03-31T07:00:00.5Z", "2026-03-31T07:00:00.6Z"),
        ("2026-03-31T10:00:00.123456-05:00", UTC, "2026-03-31T15:00:00.123456Z", "2026-03-31T15:00:00.123457Z"),
        ("2026-03-31T10:00:00.123456789Z", UTC, "2026-03-31T10:00:00.123456Z", "2026-03-31T10:00:00.123457Z"),
        ("2016-12-31T23:59:60Z", UTC, "2017-01-01T00:00:00Z", "2017-01-01T00:00:01Z"),
    ],
)
def test_what_a_date_stands_for(text: str, zone: tzinfo, first: str, after: str) -> None:
    moment = Moment.parse(text)
    assert (moment.begins_at(zone), moment.ends_at(zone)) == (at(first), at(after))


@pytest.mark.parametrize(
    "text",
    [
        *("", "26", "20260331", "0000", "2026-3", "2026-13", "2026-02-30", "2026-03-31Z", "٢٠٢٦"),
        *("2026-03-31T10:00", "2026-03-31T10:00:00", "2026-03-31 10:00:00Z", "2026-03-31T10:00:00.Z"),
        *("2026-03-31T24:00:00Z", "2026-03-31T10:60:00Z"),
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):
        Moment.parse(text)


@pytest.mark.parametrize("text", ["9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59-12:00"])
def test_year_9999_never_ends(text: str) -> None:
    assert Moment.parse(text).ends_at(ISTANBUL) == FAR_FUTURE
    decision = decide([consent(permit(period=period(end=text)))], request())
    assert (decision.outcome, decision.valid_until) == (Outcome.PERMIT, None)


@pytest.mark.parametrize("text", ["0001", "0001-01-01", "0001-01-01T00:00:00+14:00"])
def test_year_1_has_begun(text: str) -> None:
    assert decide([consent(permit(period=period(start=text)))], request()).outcome is Outcome.PERMIT


EDGES = [
    ("2026-03-31", "", ISTANBUL, "2026-03-31T00:00:00+03:00"),
    ("2026-03", "", ISTANBUL, "2026-03-01T00:00:00+03:00"),
    ("2026", "", BERLIN, "2026-01-01T00:00:00+01:00"),
    ("2026-03-31T10:00:00+03:00", "", BERLIN, "2026-03-31T07:00:00Z"),
    ("", "2026-03-31", ISTANBUL, "2026-04-01T00:00:00+03:00"),
    ("", "2026-03-28", BERLIN, "2026-03-29T00:00:00+01:00"),
    ("", "2026-03-29", BERLIN, "2026-03-30T00:00:00+02:00"),
    ("", "2026-10-24", BERLIN, "2026-10-25T00:00:00+02:00"),
    ("", "2026-10-25", BERLIN, "2026-10-26T00:00:00+01:00"),
    ("", "2026-03", ISTANBUL, "2026-04-01T00:00:00+03:00"),
    ("", "2026", ISTANBUL, "2027-01-01T00:00:00+03:00"),
    ("", "2026-03-31T23:30:00+03:00", BERLIN, "2026-03-31T23:30:01+03:00"),
]


@pytest.mark.parametrize(("start", "end", "zone", "edge"), EDGES)
def test_the_edge_of_a_permit(start: str, end: str, zone: tzinfo, edge: str) -> None:
    given = consent(permit(period=period(start, end)))
    before = decide([given], request(now=at(edge) - LAST, zone=zone))
    after = decide([given], request(now=at(edge), zone=zone))
    assert (before.outcome is Outcome.PERMIT) is bool(end)
    assert (after.outcome is Outcome.PERMIT) is bool(start)
    assert before.valid_until == at(edge)
    assert after.valid_until is None


@pytest.mark.parametrize(("start", "end", "zone", "edge"), EDGES)
def test_the_edge_of_a_denial(start: str, end: str, zone: tzinfo, edge: str) -> None:
    given = consent(permit(deny(period=period(start, end))))
    before = decide([given], request(now=at(edge) - LAST, zone=zone))
    after = decide([given], request(now=at(edge), zone=zone))
    assert (before.outcome is Outcome.DENY) is bool(end)
    assert (after.outcome is Outcome.DENY) is bool(start)
    assert (before.valid_until, after.valid_until) == (at(edge), None)


def test_now_in_another_zone_is_the_same_instant() -> None:
    given = consent(permit(period=period(end="2026-03-31")))
    last = at("2026-03-31T23:59:59.999999+03:00").astimezone(BERLIN)
    assert decide([given], request(now=last)).outcome is Outcome.PERMIT
    assert decide([given], request(now=last + LAST)).outcome is Outcome.DENY


def test_the_repeated_hour_is_told_apart() -> None:
    """02:30 comes twice in Berlin on 25 October 2026; the period ends between the two."""
    given = consent(permit(period=period(end="2026-10-25T00:45:00Z")))
    first = datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=BERLIN)
    assert decide([given], request(now=first, zone=BERLIN)).outcome is Outcome.PERMIT
    assert decide([given], request(now=first.replace(fold=1), zone=BERLIN)).outcome is Outcome.DENY


@pytest.mark.parametrize(
    ("provision", "outcome", "valid_until"),
    [
        pytest.param(
            permit(permit(period=period(end="2026-05-31")), type=None, period=period(end="2026-04-30")),
            Outcome.PERMIT,
            "2026-05-01T00:00:00+03:00",
            id="a child does not outlive its parent",
        ),
        pytest.param(
            bare(permit(), period=period(end="2026-03-09")),
            Outcome.DENY,
            None,
            id="the parent is over, the child with it",
        ),
        pytest.param(
            bare(permit(), period=period(start="2026-03-11")), Outcome.DENY, "2026-03-11T00:00:00+03:00", id="not yet"
        ),
        pytest.param(
            bare(permit(period=period(end="2026-03-31")), period=period(start="2026-04-01")),
            Outcome.DENY,
            None,
            id="the two periods never meet",
        ),
        pytest.param(
            permit(deny(period=period(start="2026-03-20"))),
            Outcome.PERMIT,
            "2026-03-20T00:00:00+03:00",
            id="denied later",
        ),
        pytest.param(
            permit(deny(period=period(start="2026-03-20"), purposes=permit().purposes), purposes=frozenset()),
            Outcome.DENY,
            "2026-03-20T00:00:00+03:00",
            id="what could deny later counts although nothing permits",
        ),
        pytest.param(
            permit(deny(period=period(start="2026-03-20"), classes=frozenset({"Media"}))),
            Outcome.PERMIT,
            None,
            id="a denial of other items never matters",
        ),
        pytest.param(
            permit(period=period(end="2026-03-20"), recipients=()),
            Outcome.DENY,
            None,
            id="a permit of nobody never matters",
        ),
        pytest.param(
            permit(deny(period=period("2026-03-20", "2026-03-25")), period=period("2026-03-05", "2026-03-31")),
            Outcome.PERMIT,
            "2026-03-20T00:00:00+03:00",
            id="the earliest of all",
        ),
    ],
)
def test_valid_until(provision: Provision, outcome: Outcome, valid_until: str | None) -> None:
    decision = decide([consent(provision)], request())
    assert decision.outcome is outcome
    assert decision.valid_until == (at(valid_until) if valid_until else None)


def test_valid_until_over_several_consents() -> None:
    short, long = permit(period=period(end="2026-03-15")), permit(period=period(end="2026-06-30"))
    decision = decide([consent(long), consent(short, id="c2")], request())
    assert decision.valid_until == at("2026-03-16T00:00:00+03:00")


def test_a_consent_that_does_not_count_bounds_nothing() -> None:
    draft = consent(permit(period=period(end="2026-03-15")), id="c2", status="draft")
    assert decide([consent(), draft], request()).valid_until is None


def test_a_dissent_ends_with_its_period() -> None:
    dissent = consent(bare(period=period(end="2026-03-09")), OPTOUT, id="c2")
    assert decide([consent(), dissent], request()).outcome is Outcome.PERMIT


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ("2026-03-11", "", "its period begins at 2026-03-11T00:00:00+03:00"),
        ("", "2026-03-09", "its period ended at 2026-03-10T00:00:00+03:00"),
        ("9999", "", "its period, within those around it, is never in force"),
    ],
)
def test_the_step_tells_the_time(start: str, end: str, why: str) -> None:
    decision = decide([consent(permit(period=period(start, end)))], request(STUDY))
    assert [step.why for step in decision.steps] == [why]


def test_a_period_of_one_instant_in_force_now() -> None:
    now = NOON.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = consent(permit(period=period(now, now)), DISCLOSE)
    assert decide([given], request()).outcome is Outcome.PERMIT
    assert decide([consent(bare(permit()), OPTIN, id="c2"), given], request()).valid_until == NOON + timedelta(
        seconds=1
    )
