"""A reviewer in another country gets nothing until a transfer instrument is on record, and nothing after its end."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.consent.transfer import TransferKind
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.work import Job, JobKind
from gateway.services import egress, recall, recheck, transferring
from gateway.services.listing.transfers import transfer_lines
from gateway.services.transferring import NewTransfer
from gateway.store import deliveries
from tests.grants import is_cancelled
from tests.unit.gateway.services.consent_acts import actions, instant, move
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

SCC = TransferKind.STANDARD_CONTRACTUAL_CLAUSES


def _new(**given: Any) -> NewTransfer:
    return replace(NewTransfer("ankara", "board", SCC, "SCC 7"), **given)


@pytest.fixture
def abroad(scenery: Scenery) -> Scenery:
    """The reviewer is in Germany, and the patient consents."""
    move(scenery, "board", "DE")
    scenery.consent(DISCLOSE)
    return scenery


def test_it_is_held_with_the_reason_and_goes_after_the_instrument_is_recorded(abroad: Scenery) -> None:
    delivery = abroad.images("1.1")
    assert egress.grant(abroad.core, delivery.id) is None
    held = abroad.delivery(delivery.id)
    assert held.state is DeliveryState.HELD
    assert held.waits_for.startswith("an administrator, by consilium transfer add --clinic ankara --to board: ")
    assert "TR to DE needs an instrument in force" in held.waits_for

    transferring.add(abroad.core, _new(), actor="cli:admin")
    assert abroad.delivery(delivery.id).state is DeliveryState.PENDING
    assert egress.grant(abroad.core, delivery.id) is not None
    assert ("cli:admin", "transfer.add") in actions(abroad)


def test_its_end_stops_what_is_pending_and_cancels_grants_and_recalls_nothing(abroad: Scenery) -> None:
    record_id = transferring.add(abroad.core, _new(), actor="cli:admin")
    delivery = abroad.images("1.1")
    granted = egress.grant(abroad.core, delivery.id)
    assert granted is not None
    transferring.end(abroad.core, record_id, actor="cli:admin")
    assert abroad.delivery(delivery.id).state is DeliveryState.HELD
    with abroad.core.database.read() as connection:
        assert is_cancelled(connection, granted)
    assert recall.recall_lines(abroad.core, limit=10) == []
    assert ("cli:admin", "transfer.end") in actions(abroad)
    with pytest.raises(Conflict, match="ended by cli:admin"):
        transferring.end(abroad.core, record_id, actor="cli:admin")
    [line] = transfer_lines(abroad.core, limit=10)
    assert (line.clinic, line.recipient, line.kind, line.ended_by) == ("ankara", "board", str(SCC), "cli:admin")


def test_its_days_are_the_custodians_and_their_passing_decides_anew(abroad: Scenery) -> None:
    transferring.add(abroad.core, _new(first="2026-03-03", last="2026-03-04"), actor="cli:admin")
    delivery = abroad.images("1.1")
    assert egress.grant(abroad.core, delivery.id) is None
    for moment, state in (
        ("2026-03-02T23:59:59+03:00", DeliveryState.HELD),
        ("2026-03-03T00:00:00+03:00", DeliveryState.PENDING),
        ("2026-03-04T23:59:59+03:00", DeliveryState.PENDING),
        ("2026-03-05T00:00:00+03:00", DeliveryState.HELD),
    ):
        abroad.clock.time = instant(moment)
        job = Job("job", JobKind.CASE_RECHECK, abroad.case.id, None, 1, 0, abroad.clock(), "worker")
        recheck.recheck(abroad.core, job)
        assert abroad.delivery(delivery.id).state is state, moment


def test_a_dissent_is_not_carried_by_an_instrument(scenery: Scenery) -> None:
    move(scenery, "board", "DE")
    transferring.add(scenery.core, _new(), actor="cli:admin")
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    assert scenery.delivery(delivery.id).waits_for.startswith("the clinic ankara, by a consent of the patient")


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"recipient": "ankara"}, "reviewer"),
        ({"clinic": "board"}, "clinic"),
        ({"reference": " "}, "reference"),
        ({"kind": TransferKind.FREE_MOVEMENT}, "kind"),
        ({"first": "2026-03-04", "last": "2026-03-03"}, "until"),
        ({"first": "tomorrow"}, "from"),
    ],
)
def test_what_cannot_carry_a_transfer_is_refused(abroad: Scenery, given: dict[str, str], at: str) -> None:
    with pytest.raises(Invalid) as refused:
        transferring.add(abroad.core, _new(**given), actor="cli:admin")
    assert refused.value.at == at
    assert transfer_lines(abroad.core, limit=10) == []


def test_within_one_country_nothing_is_recorded(scenery: Scenery) -> None:
    with pytest.raises(Invalid, match="both are in TR"):
        transferring.add(scenery.core, _new(), actor="cli:admin")
    with pytest.raises(NotFound):
        transferring.add(scenery.core, _new(recipient="nobody"), actor="cli:admin")
    with pytest.raises(NotFound):
        transferring.end(scenery.core, "none", actor="cli:admin")


def test_what_has_arrived_is_not_decided_on_again(abroad: Scenery) -> None:
    record_id = transferring.add(abroad.core, _new(), actor="cli:admin")
    delivery = abroad.images("1.1")
    assert egress.grant(abroad.core, delivery.id) is not None
    with abroad.core.database.write("test") as connection:
        deliveries.change(connection, delivery.id, now=abroad.clock(), state=DeliveryState.DELIVERED)
    transferring.end(abroad.core, record_id, actor="cli:admin")
    with abroad.core.database.read() as connection:
        assert "transfer" not in {one.stage for one in deliveries.decisions(connection, abroad.case.id)}


def test_what_it_permits_again_has_not_to_be_asked_back(abroad: Scenery) -> None:
    """Though it has arrived: the consent was taken back and given again while nothing might go there."""
    record_id = transferring.add(abroad.core, _new(), actor="cli:admin")
    delivery = abroad.images("1.1")
    assert egress.grant(abroad.core, delivery.id) is not None
    with abroad.core.database.write("test") as connection:
        deliveries.change(connection, delivery.id, now=abroad.clock(), state=DeliveryState.DELIVERED)
        [used] = deliveries.granting_consents(connection, delivery.id)
    abroad.consent(DISCLOSE, status="inactive", of=used)
    transferring.end(abroad.core, record_id, actor="cli:admin")
    abroad.consent(DISCLOSE, of=used)
    assert len(recall.recall_lines(abroad.core, limit=10)) == 1
    transferring.add(abroad.core, _new(reference="SCC 8"), actor="cli:admin")
    assert recall.recall_lines(abroad.core, limit=10) == []
