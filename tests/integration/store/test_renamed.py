"""The clinic's Organization becomes somebody else: what waits is decided anew, and what left is recalled, at once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier
from gateway.services import egress, renaming
from gateway.services.recall import recall_lines
from gateway.store import audit, deliveries, parties
from gateway.store.engine import Database
from gateway.store.tables import egress_grant
from tests.integration.store.finished import Clinic
from tests.integration.store.stage import REVIEWER as REVIEWING
from tests.integration.store.stage import update
from tests.unit.gateway.services.consent_acts import stored
from tests.unit.gateway.services.scenery import DISCLOSE, REVIEWER, Scenery
from tests.unit.gateway.services.test_named import ELSEWHERE, INSURER, deny, permit

HOSPITAL = replace(REVIEWER, value="hospital")


@pytest.fixture
def scenery(database: Database, tmp_path: Path) -> Scenery:
    return Scenery(database, tmp_path)


def _store(scenery: Scenery, *identifiers: Identifier, of: str = "", **elements: Any) -> str:
    numbers = _numbers(*identifiers)
    content: dict[str, Any] = {"resourceType": "Organization", "name": "x", **elements}
    content |= {"identifier": numbers} if numbers else {}
    scenery.clock.forward(seconds=1)
    content |= {"id": of.rpartition("/")[2]} if of else {}
    found = f"Organization/{stored(scenery, content, renaming.resource_stored).id}"
    scenery.clock.forward(seconds=1)
    return found


def _actions(scenery: Scenery) -> list[str]:
    with scenery.core.database.read() as connection:
        return [row.action for row in audit.of_case(connection, scenery.case.id, actions=("consent.party-changed",))]


def _recalled(scenery: Scenery) -> list[str]:
    return [one.delivery_id for one in recall_lines(scenery.core, limit=10)]


def test_what_left_under_a_permit_is_recalled_and_what_waits_is_held(scenery: Scenery) -> None:
    named = _store(scenery, REVIEWER)
    permit(scenery, named)
    left, waiting = scenery.images("1.1"), scenery.report()
    granted = egress.grant(scenery.core, left.id)
    assert granted is not None
    _store(scenery, INSURER, of=named)
    assert scenery.delivery(left.id).state is DeliveryState.HELD
    assert _recalled(scenery) == [left.id]
    assert scenery.delivery(waiting.id).state is DeliveryState.HELD  # nothing ever permitted that one
    with scenery.core.database.read() as connection:
        assert scenery.core.now() < granted.expires_at
        assert not _is_open(scenery, granted.id)
        assert audit.of_case(connection, scenery.case.id, actions=("recall.notice",))
    assert _actions(scenery) == ["consent.party-changed"]


def test_it_comes_back_with_the_identifier_and_the_notice_ends(scenery: Scenery) -> None:
    named = _store(scenery, REVIEWER)
    permit(scenery, named)
    left = scenery.images("1.1")
    assert egress.grant(scenery.core, left.id) is not None
    _store(scenery, INSURER, of=named)
    _store(scenery, REVIEWER, of=named)
    assert scenery.delivery(left.id).state is DeliveryState.PENDING
    assert _recalled(scenery) == []


def test_one_that_is_not_active_any_more_stops_and_recalls(scenery: Scenery) -> None:
    named = _store(scenery, REVIEWER)
    permit(scenery, named)
    left = scenery.images("1.1")
    assert egress.grant(scenery.core, left.id) is not None
    _store(scenery, REVIEWER, of=named, active=False)
    assert (scenery.delivery(left.id).state, _recalled(scenery)) == (DeliveryState.HELD, [left.id])


def test_a_denial_that_hits_from_now_on_stops_and_recalls(scenery: Scenery) -> None:
    _store(scenery, REVIEWER)
    named = _store(scenery, INSURER)
    deny(scenery, named)
    left = scenery.images("1.1")
    assert egress.grant(scenery.core, left.id) is not None
    _store(scenery, of=named)
    assert (scenery.delivery(left.id).state, _recalled(scenery)) == (DeliveryState.HELD, [left.id])


def test_another_name_or_address_sets_nothing_in_motion(scenery: Scenery) -> None:
    named = _store(scenery, REVIEWER)
    permit(scenery, named)
    left = scenery.images("1.1")
    assert egress.grant(scenery.core, left.id) is not None
    _store(scenery, REVIEWER, of=named, alias=["y"])
    assert (_actions(scenery), _recalled(scenery)) == ([], [])


def test_identifiers_of_a_system_in_which_nobody_is_registered_set_nothing_in_motion(scenery: Scenery) -> None:
    named = _store(scenery, REVIEWER)
    permit(scenery, named)
    left = scenery.images("1.1")
    assert egress.grant(scenery.core, left.id) is not None
    _store(scenery, REVIEWER, ELSEWHERE, of=named)
    assert (_actions(scenery), _recalled(scenery)) == ([], [])
    assert egress.grant(scenery.core, left.id) is not None


def test_too_many_consents_for_one_transaction_are_refused(scenery: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    named = _store(scenery, REVIEWER)
    permit(scenery, named)
    monkeypatch.setattr(renaming, "MOST_CONSENTS", 1)
    _store(scenery, INSURER, of=named)
    monkeypatch.setattr(renaming, "MOST_CONSENTS", 0)
    _store(scenery, INSURER, of=named, alias=["y"])
    with pytest.raises(Unprocessable, match="consents name this resource") as refusal:
        _store(scenery, REVIEWER, of=named)
    assert refusal.value.at == "Organization"


def test_of_other_patients_nothing_is_decided(scenery: Scenery) -> None:
    named = _store(scenery, INSURER)
    scenery.consent(DISCLOSE)
    left = scenery.images("1.1")
    assert egress.grant(scenery.core, left.id) is not None
    _store(scenery, HOSPITAL, of=named)
    assert _actions(scenery) == []


def test_the_reviewers_own_organization_comes_and_the_employer_counts_no_more(scenery: Scenery) -> None:
    hospital = _store(scenery, HOSPITAL)
    with scenery.core.database.write("test") as connection:
        parties.add_organizations(connection, "board", [HOSPITAL])
    permit(scenery, hospital)
    waiting = scenery.images("1.1")
    with scenery.core.database.write("test") as connection:
        egress.decide(connection, scenery.case, waiting, stage="enqueue", now=scenery.clock())
    assert scenery.delivery(waiting.id).state is DeliveryState.PENDING
    _store(scenery, REVIEWER)
    assert scenery.delivery(waiting.id).state is DeliveryState.HELD


@pytest.mark.parametrize("kind", ["Organization", "Practitioner", "PractitionerRole"])
def test_over_the_clinics_own_requests(clinic: Clinic, kind: str) -> None:
    """What its client sends; the consent names the resource in the same request in which both come."""
    data = clinic.stage.case_data()
    [named] = clinic.stage.post({"resourceType": kind, "identifier": _numbers(REVIEWING)})
    bundle = demo.clinic_bundle(data, b"%PDF-1.7")
    for one in (entry["resource"] for entry in bundle["entry"]):
        for actor in one.get("provision", {}).get("actor", []) if one["resourceType"] == "Consent" else []:
            if actor["reference"].get("identifier", {}).get("value") == REVIEWING.value:
                actor["reference"] = {"reference": f"{kind}/{named.id}"}
    case_id = clinic.order(bundle, data=data)
    clinic.arrive(case_id)
    clinic.stage.post(update(named, identifier=_numbers(INSURER)))
    with clinic.stage.core.database.read() as connection:
        left = {one.id for one in deliveries.listed(connection, case_id=case_id)}
    assert len(left) == 2
    assert {one.delivery_id for one in recall_lines(clinic.stage.core, limit=10)} == left


def _numbers(*identifiers: Identifier) -> list[dict[str, str]]:
    return [{"system": one.system, "value": one.value} for one in identifiers]


def _is_open(scenery: Scenery, grant_id: str) -> bool:
    with scenery.core.database.read() as connection:
        query = egress_grant.select().where(egress_grant.c.id == grant_id)
        return connection.execute(query).one().cancelled_at is None
