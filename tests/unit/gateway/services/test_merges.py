"""Patient.link: records that were merged are one patient, and one that was merged away is none."""

from datetime import datetime
from typing import Any

import pytest

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Unprocessable
from gateway.services import egress, merges
from gateway.services.merges import MOST_RECORDS, person_of
from gateway.services.story import case_story
from gateway.store import forgetting
from tests.unit.gateway.services.consent_acts import consent, patient
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery


def _link(kind: str, *others: str) -> dict[str, Any]:
    return {"link": [{"type": kind, "other": {"reference": f"Patient/{one}"}} for one in others]}


def _own(scenery: Scenery, **elements: Any) -> None:
    """A new version of the case's patient."""
    patient(scenery, of=scenery.case.patient_id, number="4711", **elements)


def test_a_consent_under_the_record_that_was_merged_away_is_the_survivors(scenery: Scenery) -> None:
    away = patient(scenery)
    delivery = scenery.images("1.1")
    consent(scenery, DISCLOSE, patient_id=away)
    assert egress.grant(scenery.core, delivery.id) is None
    patient(scenery, of=away, **_link("replaced-by", scenery.case.patient_id))
    assert scenery.delivery(delivery.id).state is DeliveryState.PENDING
    assert egress.grant(scenery.core, delivery.id) is not None


def test_the_survivor_may_say_it_as_well_also_when_it_comes_new(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    survivor = patient(scenery, **_link("replaces", scenery.case.patient_id))
    held = scenery.delivery(delivery.id)
    assert held.state is DeliveryState.HELD
    assert f"the clinic names Patient/{survivor} as the subject of the order" in held.waits_for
    assert egress.grant(scenery.core, delivery.id) is None


def test_the_case_tells_that_it_waits_for_another_record_before_anything_has_come(scenery: Scenery) -> None:
    scenery.clock.forward(hours=1)
    survivor = patient(scenery)
    _own(scenery, **_link("replaced-by", survivor))
    merged_at = scenery.clock()
    what = "another record: the patient's record was merged into another one"
    assert scenery.waits()[what] == f"the clinic ankara names Patient/{survivor} as the subject of the order"
    [wait] = [one for one in case_story(scenery.core, scenery.case.id).waits if one.what == what]
    scenery.clock.forward(hours=1)
    patient(scenery, of=survivor, **_link("replaces", scenery.case.patient_id))
    assert (wait.since, what in scenery.waits()) == (merged_at, True)
    _own(scenery)
    patient(scenery, of=survivor)
    assert what not in scenery.waits()


def test_the_case_tells_that_its_record_is_not_active(scenery: Scenery) -> None:
    _own(scenery, active=False)
    assert scenery.waits()["another record: the patient's record is not active"] == (
        "the clinic ankara makes it active, or orders under another one"
    )


def test_what_was_merged_by_mistake_is_parted_again(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    survivor = patient(scenery, **_link("replaces", scenery.case.patient_id))
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    patient(scenery, of=survivor)
    assert scenery.delivery(delivery.id).state is DeliveryState.PENDING


def test_a_dissent_under_any_of_the_records_counts(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    away = patient(scenery)
    delivery = scenery.images("1.1")
    rule = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]}
    consent(scenery, DISCLOSE, patient_id=away, policyRule=rule, without=("policy", "provision"))
    assert egress.grant(scenery.core, delivery.id) is not None
    _own(scenery, **_link("replaces", away))
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD


@pytest.mark.parametrize("kind", ["seealso", "refer"])
def test_other_links_merge_nothing(scenery: Scenery, kind: str) -> None:
    other = patient(scenery)
    _own(scenery, **_link(kind, other))
    with scenery.core.database.read() as connection:
        assert person_of(connection, "ankara", other).records == {other}


def test_a_circle_leaves_nobody_to_order_under(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    other = patient(scenery, **_link("replaced-by", scenery.case.patient_id))
    _own(scenery, **_link("replaced-by", other))
    assert "run in a circle" in scenery.delivery(delivery.id).waits_for
    with scenery.core.database.read() as connection:
        assert person_of(connection, "ankara", other).surviving == ()


def test_a_chain_is_followed_and_one_that_is_too_long_is_refused(
    scenery: Scenery, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_RECORDS >= 16
    monkeypatch.setattr(merges, "MOST_RECORDS", 3)
    middle = patient(scenery, number="1", **_link("replaced-by", scenery.case.patient_id))
    first = patient(scenery, number="2", **_link("replaced-by", middle))
    with scenery.core.database.read() as connection:
        person = person_of(connection, "ankara", scenery.case.patient_id)
    assert person.records == {first, middle, scenery.case.patient_id}
    assert person.surviving == (scenery.case.patient_id,)
    with pytest.raises(Unprocessable, match="more than 3"):
        patient(scenery, number="3", **_link("replaced-by", first))


def test_a_merge_names_the_other_record_by_its_id(scenery: Scenery) -> None:
    by_number = {"identifier": {"system": "urn:oid:1.2", "value": "7"}}
    with pytest.raises(Unprocessable, match="Patient/id") as refused:
        _own(scenery, link=[{"type": "replaced-by", "other": by_number}])
    assert refused.value.at == "Patient.link[0].other"


def test_nothing_leaves_for_a_record_that_is_not_active(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    _own(scenery, active=False)
    assert "is not active" in scenery.delivery(delivery.id).waits_for


def _since(scenery: Scenery, what: str) -> datetime:
    [wait] = [one for one in case_story(scenery.core, scenery.case.id).waits if what in one.what]
    assert wait.since is not None
    return wait.since


def test_a_later_version_that_says_the_same_changes_nothing_of_since_when(scenery: Scenery) -> None:
    survivor = patient(scenery)
    scenery.clock.forward(hours=1)
    _own(scenery, **_link("replaced-by", survivor))
    merged_at = scenery.clock()
    scenery.clock.forward(hours=1)
    _own(scenery, **_link("replaced-by", survivor), gender="female")
    assert _since(scenery, "was merged into") == merged_at
    _own(scenery)
    scenery.clock.forward(hours=1)
    _own(scenery, active=False)
    inactive_at = scenery.clock()
    scenery.clock.forward(hours=1)
    _own(scenery, active=False, gender="female")
    assert _since(scenery, "is not active") == inactive_at


def test_a_survivor_that_says_so_again_changes_nothing_either(scenery: Scenery) -> None:
    scenery.clock.forward(hours=1)
    survivor = patient(scenery, **_link("replaces", scenery.case.patient_id))
    merged_at = scenery.clock()
    scenery.clock.forward(hours=1)
    patient(scenery, of=survivor, **_link("replaces", scenery.case.patient_id), gender="female")
    assert _since(scenery, "was merged into") == merged_at


def test_a_record_that_was_destroyed_after_the_merge_is_told_of_all_the_same(scenery: Scenery) -> None:
    survivor = patient(scenery, **_link("replaces", scenery.case.patient_id))
    merged_at = scenery.clock()
    with scenery.core.database.write("test.destroy") as connection:
        forgetting.empty_resources(connection, {scenery.case.patient_id}, merged_at)
    with scenery.core.database.read() as connection:
        found = merges.merged_away_at(connection, scenery.case.clinic_id, scenery.case.patient_id)
    assert (found, bool(survivor)) == (merged_at, True)
