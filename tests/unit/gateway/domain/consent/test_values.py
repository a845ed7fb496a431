"""What a date stands for, what is no date, and which requests and instruments cannot be made."""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from gateway.domain.consent import (
    Moment,
    Outcome,
    Policy,
    PolicyRule,
    Recipient,
    TransferInstrument,
    TransferKind,
    decide,
    indeterminate,
)
from gateway.domain.consent.period import FAR_FUTURE
from gateway.domain.consent.request import resource_type
from gateway.domain.consent.transfer import EEA, GDPR, KVKK, why_unfit
from gateway.domain.party import Identifier
from tests.unit.gateway.domain.consent.builders import BERLIN, DISCLOSE, ISTANBUL, NOON, consent, period, request


@pytest.mark.parametrize(
    ("text", "zone", "first", "after"),
    [
        ("2026-03-31", ISTANBUL, "2026-03-30T21:00:00Z", "2026-03-31T21:00:00Z"),
        ("2026-03-29", BERLIN, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),  # 23 hours: clocks go forward
        ("2026-10-25", BERLIN, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),  # 25 hours: clocks go back
        ("2028-02", ISTANBUL, "2028-01-31T21:00:00Z", "2028-02-29T21:00:00Z"),
        ("2026", ISTANBUL, "2025-12-31T21:00:00Z", "2026-12-31T21:00:00Z"),
        ("2026-03-31T10:00:00Z", ISTANBUL, "2026-03-31T10:00:00Z", "2026-03-31T10:00:01Z"),
        ("2026-03-31T10:00:00.123456-05:00", UTC, "2026-03-31T15:00:00.123456Z", "2026-03-31T15:00:00.123457Z"),
        ("2016-12-31T23:59:60Z", UTC, "2017-01-01T00:00:00Z", "2017-01-01T00:00:01Z"),
    ],
)
def test_what_a_date_stands_for(text: str, zone: tzinfo, first: str, after: str) -> None:
    moment = Moment.parse(text)
    assert (moment.begins_at(zone), moment.ends_at(zone)) == tuple(map(datetime.fromisoformat, (first, after)))


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


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        request(now=datetime.fromisoformat("2026-03-10T12:00:00"))


@pytest.mark.parametrize(
    ("reference", "around", "why"),
    [
        ("Organization/d", {"organization_references": frozenset({"Organization/w"})}, "not covered"),
        ("Organization/d", {"organization_identifiers": frozenset({Identifier("urn:org", "w")})}, "not covered"),
        ("PractitionerRole/r", {"organization_references": frozenset({"Practitioner/x"})}, "something else"),
        ("PractitionerRole/r", {"organization_references": frozenset({"Device/x"})}, "something else"),
    ],
)
def test_only_an_organization_covers_and_none_of_them_another(
    reference: str, around: dict[str, frozenset[str]], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Recipient(frozenset(), frozenset({reference}), "DE", **around)  # type: ignore[arg-type]


def test_what_could_not_be_loaded_is_indeterminate() -> None:
    decision = indeterminate("The store did not answer.", "aa55")
    assert decision.outcome is Outcome.INDETERMINATE
    assert (decision.reasons, decision.consents) == (("The store did not answer.",), ())
    assert (decision.payload_sha256, decision.transfer) == ("aa55", None)


def test_a_decision_shows_nothing_of_the_patient() -> None:
    asked = request()
    shown = repr(decide([consent()], asked))
    assert "Consent c1" in shown or "id='c1'" in shown
    assert not any(one in shown for one in (*asked.patient_references, "urn:mrn"))


def test_under_a_policy_that_says_nothing_nothing_is_known() -> None:
    assert not Policy().is_known
    assert not Policy(PolicyRule.OTHER, DISCLOSE.flows).is_known


def test_authority_of_a_representative_is_not_taken_for_granted() -> None:
    assert decide([consent(is_by_representative=True)], request()).outcome is Outcome.DENY


def test_a_period_keeps_how_it_was_written() -> None:
    assert (period("2026", "2026-03").texts, period().texts) == (("2026", "2026-03"), ("", ""))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        *(("Organization/12", "Organization"), ("https://host/fhir/Organization/12", "Organization")),
        *(("Organization/", ""), ("/12", ""), ("a1/2", ""), ("urn:uuid:1", ""), ("#contained", ""), ("", "")),
    ],
)
def test_of_which_type_a_reference_is(reference: str, expected: str) -> None:
    assert resource_type(reference) == expected


def test_an_organization_covers_a_device_of_its_own() -> None:
    covered = Recipient(
        frozenset(), frozenset({"Device/x"}), "DE", organization_references=frozenset({"Organization/w"})
    )
    assert covered.all_references == {"Device/x", "Organization/w"}


def test_an_instrument_ends_after_it_begins() -> None:
    for length in (timedelta(0), timedelta(days=-1)):
        with pytest.raises(ValueError, match="ends after it begins"):
            TransferInstrument("t1", TransferKind.ADEQUACY_DECISION, "no. 7", NOON, NOON + length)


def test_an_instrument_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="valid_until"):
        TransferInstrument("t1", TransferKind.ADEQUACY_DECISION, "no. 7", None, datetime.fromisoformat("2026-03-10"))


def test_every_kind_of_instrument_has_a_source_and_carries_something() -> None:
    assert len(EEA) == 27 + 3
    for kind in TransferKind:
        assert set(kind.sources) <= {GDPR, KVKK}
        assert all(article.startswith("art. ") for article in kind.sources.values())
        assert not why_unfit(kind, "DE", "FR")
        assert bool(why_unfit(kind, "TR", "DE")) is (KVKK not in kind.sources)
