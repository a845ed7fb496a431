"""A consent that a representative gave counts once a person has recorded the authority, and as long as it holds."""

import base64
from typing import Any

import pytest

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict, Invalid, Unprocessable
from gateway.services import egress, recall, representation
from tests.unit.gateway.services.consent_acts import GUARDIAN, actions, consent, instant, patient, provenance, signature
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

OPTOUT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]}
BY = {"actor": "cli:officer"}


@pytest.fixture
def given(scenery: Scenery) -> str:
    """A guardian's consent; its id."""
    return consent(scenery, DISCLOSE, performer=[GUARDIAN])


def test_it_permits_nothing_before_and_everything_after(scenery: Scenery, given: str) -> None:
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    assert "representative" in scenery.delivery(delivery.id).waits_for
    representation.record(scenery.core, given, basis="guardianship, court order 7", **BY)
    assert scenery.delivery(delivery.id).state is DeliveryState.PENDING
    assert egress.grant(scenery.core, delivery.id) is not None
    assert ("cli:officer", "authority.record") in actions(scenery)
    with pytest.raises(Conflict, match="recorded already"):
        representation.record(scenery.core, given, basis="again", **BY)


def test_withdrawing_it_holds_and_recalls(scenery: Scenery, given: str) -> None:
    representation.record(scenery.core, given, basis="guardianship", **BY)
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is not None
    scenery.clock.time = instant("2026-03-02T18:00:00Z")
    representation.withdraw(scenery.core, given, **BY)
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    assert [one.delivery_id for one in recall.recall_lines(scenery.core, limit=10)] == [delivery.id]
    assert ("cli:officer", "authority.withdraw") in actions(scenery)
    withdrawn = "the authority recorded for them was withdrawn at 2026-03-02T21:00:00+03:00"
    assert withdrawn in scenery.delivery(delivery.id).waits_for
    with pytest.raises(Conflict, match="no authority"):
        representation.withdraw(scenery.core, given, **BY)


def test_a_version_that_names_somebody_else_needs_it_again(scenery: Scenery, given: str) -> None:
    representation.record(scenery.core, given, basis="guardianship", **BY)
    delivery = scenery.images("1.1")
    consent(scenery, DISCLOSE, of=given, performer=[GUARDIAN], language="tr")
    assert egress.grant(scenery.core, delivery.id) is not None
    other = {"identifier": GUARDIAN["identifier"] | {"value": "guardian-2"}}
    consent(scenery, DISCLOSE, of=given, performer=[other])
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    representation.record(scenery.core, given, basis="a later court order", **BY)
    assert egress.grant(scenery.core, delivery.id) is not None


PATIENT_AGAIN = ("the patient", "the patient beside the guardian", "nobody")
PAPER = base64.b64encode(b"signed by the patient").decode()


def _performer(scenery: Scenery, who: str) -> dict[str, Any]:
    patient_again = {"reference": f"Patient/{scenery.case.patient_id}"}
    named = [patient_again, GUARDIAN] if "guardian" in who else [patient_again]
    return {} if who == "nobody" else {"performer": named}


@pytest.mark.parametrize("who", PATIENT_AGAIN)
def test_on_the_same_paper_it_does_not_become_the_patients_own(scenery: Scenery, given: str, who: str) -> None:
    """Nor by a draft, nor after it was taken back, nor under another title."""
    same = {"contentType": "text/plain", "data": base64.b64encode(b"signed on paper").decode(), "title": "scan 2"}
    changes: list[dict[str, Any]] = [{}, {"status": "draft"}, {"sourceAttachment": same}]
    for change in changes:
        with pytest.raises(Unprocessable, match="a representative gave it before") as refused:
            consent(scenery, DISCLOSE, of=given, **change, **_performer(scenery, who))
        assert refused.value.at == "Consent.performer"
    consent(scenery, DISCLOSE, of=given, status="inactive", **_performer(scenery, who))
    with pytest.raises(Unprocessable):
        consent(scenery, DISCLOSE, of=given, **_performer(scenery, who))
    assert egress.grant(scenery.core, scenery.images("1.1").id) is None


def test_with_a_paper_of_the_patients_it_is_the_patients_own(scenery: Scenery, given: str) -> None:
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    signed = {"contentType": "text/plain", "data": PAPER}
    consent(scenery, DISCLOSE, of=given, sourceAttachment=signed, **_performer(scenery, "the patient"))
    assert egress.grant(scenery.core, delivery.id) is not None
    with pytest.raises(Unprocessable):
        consent(scenery, DISCLOSE, of=given, **_performer(scenery, "the patient"))


def test_without_a_paper_it_waits_for_the_patients_signature(scenery: Scenery) -> None:
    without = ("sourceAttachment",)
    given = consent(scenery, DISCLOSE, performer=[GUARDIAN], without=without)
    consent(scenery, DISCLOSE, of=given, without=without, **_performer(scenery, "the patient"))
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    who = {"reference": f"Patient/{scenery.case.patient_id}"}
    provenance(scenery, f"Consent/{given}/_history/2", signature=[signature(who)])
    assert egress.grant(scenery.core, delivery.id) is not None


@pytest.mark.parametrize(
    "source",
    [
        {"sourceAttachment": {"url": "https://ehr.example/forms/1", "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}},
        {"sourceReference": {"identifier": {"system": "urn:paper", "value": "41"}}},
    ],
)
def test_a_permit_on_a_paper_that_is_not_here_is_refused(scenery: Scenery, source: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable, match="not kept here proves nothing") as refused:
        consent(scenery, DISCLOSE, without=("sourceAttachment",) if "sourceReference" in source else (), **source)
    assert refused.value.at == f"Consent.{next(iter(source))}"
    dissent = {"policyRule": OPTOUT, **source}
    without = ("policy", "provision", *(("sourceAttachment",) if "sourceReference" in source else ()))
    consent(scenery, DISCLOSE, without=without, **dissent)
    scenery.consent(DISCLOSE)
    assert egress.grant(scenery.core, scenery.images("1.1").id) is None


def test_it_ends_with_its_last_day_and_the_decision_knows(scenery: Scenery, given: str) -> None:
    representation.record(scenery.core, given, basis="guardianship", last="2026-03-03", **BY)
    delivery = scenery.images("1.1")
    scenery.clock.time = instant("2026-03-03T23:59:30+03:00")
    granted = egress.grant(scenery.core, delivery.id)
    assert granted is not None
    assert granted.expires_at == instant("2026-03-04T00:00:00+03:00")
    scenery.clock.time = granted.expires_at
    assert egress.grant(scenery.core, delivery.id) is None
    ended = "the authority recorded for them ended at 2026-03-04T00:00:00+03:00"
    assert ended in scenery.delivery(delivery.id).waits_for


def test_of_several_that_ended_the_last_is_told(scenery: Scenery, given: str) -> None:
    representation.record(scenery.core, given, basis="guardianship", last="2026-03-03", **BY)
    scenery.clock.time = instant("2026-03-05T09:00:00+03:00")
    representation.record(scenery.core, given, basis="a later court order", **BY)
    scenery.clock.time = instant("2026-03-06T09:00:00+03:00")
    representation.withdraw(scenery.core, given, **BY)
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    assert "was withdrawn at 2026-03-06T09:00:00+03:00" in scenery.delivery(delivery.id).waits_for


def test_what_says_nothing_is_refused(scenery: Scenery, given: str) -> None:
    for refused in ({"basis": " "}, {"basis": "order", "last": "2026-03-01"}):
        with pytest.raises(Invalid):
            representation.record(scenery.core, given, **refused, **BY)
    own = scenery.consent(DISCLOSE)
    with pytest.raises(Conflict, match="not given by a representative"):
        representation.record(scenery.core, own, basis="order", **BY)


def test_of_a_patient_without_a_case_it_is_audited_as_well(scenery: Scenery) -> None:
    other = consent(scenery, DISCLOSE, patient_id=patient(scenery), performer=[GUARDIAN])
    representation.record(scenery.core, other, basis="guardianship", **BY)
    assert actions(scenery)[-1] == ("cli:officer", "authority.record")
