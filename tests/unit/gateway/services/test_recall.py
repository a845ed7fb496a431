"""A recall notice says what is known to have left, waits for a coordinator, and ends with an audit row."""

from datetime import timedelta

import pytest

from gateway.domain.delivery import Receipt
from gateway.domain.errors import Conflict
from gateway.services import egress, recall, recalling
from gateway.services.recall import RecallLine
from gateway.services.story import case_story
from gateway.store import cases, deliveries
from tests.unit.gateway.services.scenery import DISCLOSE, RETURN, Scenery

GRANTED = "first granted at 2026-03-02 09:00:00 UTC"


def _open(scenery: Scenery) -> list[RecallLine]:
    return recall.recall_lines(scenery.core, limit=10)


def test_a_grant_that_never_reached_the_node_is_told_as_that(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1", "1.2")
    assert egress.grant(scenery.core, delivery.id) is not None
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, delivery.id, now=scenery.clock(), last_error="Transient: NODE cannot be reached")
    scenery.clock.forward(minutes=5)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)

    [notice] = _open(scenery)
    assert notice.what_left == (
        f"{GRANTED}; 0 of 2 objects acknowledged; the last attempt ended with Transient: NODE cannot be reached"
    )
    assert notice.reason == f"consent {consent_id} version 2 no longer permits what had been granted before"
    assert (notice.recipient, notice.delivery_id) == ("board", delivery.id)
    what = f"board is to be asked to delete study-to-reviewer {delivery.id}: {notice.reason}; {notice.what_left}"
    assert scenery.waits()[what] == f"a coordinator: consilium recall acknowledge {notice.id}"


def test_a_consent_that_permits_it_again_ends_the_notice(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    egress.grant(scenery.core, delivery.id)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    assert len(_open(scenery)) == 1
    scenery.clock.forward(minutes=5)
    scenery.consent(DISCLOSE, of=consent_id)
    assert _open(scenery) == []
    told = [(one.what, one.detail) for one in case_story(scenery.core, scenery.case.id).stations]
    assert any("recall" in what and "withdrawn" in what for what, _ in told)

    scenery.clock.forward(minutes=5)
    egress.grant(scenery.core, delivery.id)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    assert len(_open(scenery)) == 1


def test_what_was_acknowledged_is_counted(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1", "1.2")
    egress.grant(scenery.core, delivery.id)
    with scenery.core.database.write("test") as connection:
        first = deliveries.items(connection, delivery.id)[0]
        deliveries.set_item_status(connection, first, "0x0000", scenery.clock())
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    assert "; 1 of 2 objects acknowledged" in _open(scenery)[0].what_left


@pytest.mark.parametrize(
    ("is_delivered", "is_ambiguous", "words"),
    [
        (False, False, f"{GRANTED}; nothing acknowledged"),
        (
            False,
            True,
            f"{GRANTED}; nothing acknowledged; something may have arrived without an acknowledgement",
        ),
        (True, False, f"{GRANTED}; acknowledged as DiagnosticReport/7"),
    ],
)
def test_what_is_known_of_a_report(scenery: Scenery, is_delivered: bool, is_ambiguous: bool, words: str) -> None:
    consent_id = scenery.consent(RETURN)
    delivery = scenery.report()
    egress.grant(scenery.core, delivery.id)
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, delivery.id, now=scenery.clock(), is_ambiguous=is_ambiguous)
        if is_delivered:
            receipt = Receipt(scenery.clock(), "201", "DiagnosticReport/7", delivery.payload_sha256)
            deliveries.set_receipt(connection, delivery.id, receipt)
    scenery.consent(RETURN, status="inactive", of=consent_id)
    assert [one.what_left for one in _open(scenery)] == [words]


def test_a_coordinator_acknowledges_it_once_and_the_story_says_so(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    egress.grant(scenery.core, scenery.images("1.1").id)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    [notice] = _open(scenery)
    scenery.clock.forward(hours=1)
    recalling.acknowledge(scenery.core, notice.id, actor="cli:coordinator")

    assert _open(scenery) == []
    assert not any("is to be asked to delete" in what for what in scenery.waits())
    [kept] = recall.recall_lines(scenery.core, limit=10, case_id=scenery.case.id, is_open=False)
    assert (kept.acknowledged_by, kept.acknowledged_at) == ("cli:coordinator", scenery.clock())
    told = [(one.what, one.detail) for one in case_story(scenery.core, scenery.case.id).stations]
    assert told[-1] == ("recall acknowledged", f"recall/{notice.id}")
    with pytest.raises(Conflict, match="acknowledged by cli:coordinator"):
        recalling.acknowledge(scenery.core, notice.id, actor="cli:another")


def test_a_closed_case_still_waits_for_its_recall(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    egress.grant(scenery.core, scenery.images("1.1").id)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    with scenery.core.database.write("test") as connection:
        cases.close(connection, scenery.case.id, scenery.clock())
    [what] = scenery.waits()
    assert what.startswith("board is to be asked to delete")


def test_an_acknowledged_notice_stands_anew_only_when_more_was_granted(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    egress.grant(scenery.core, delivery.id)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    [notice] = _open(scenery)
    scenery.clock.forward(hours=1)
    recalling.acknowledge(scenery.core, notice.id, actor="cli:coordinator")
    scenery.clock.forward(hours=1)
    scenery.consent(DISCLOSE, status="rejected", of=consent_id)
    assert _open(scenery) == []

    scenery.consent(DISCLOSE, of=consent_id)
    assert egress.grant(scenery.core, delivery.id) is not None
    scenery.clock.forward(hours=1)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    [again] = _open(scenery)
    assert (again.id, again.created_at, again.acknowledged_at) == (notice.id, scenery.clock(), None)


def _left_under(scenery: Scenery) -> str:
    """The id of the consent under which images left, and which the patient then takes back."""
    first = scenery.consent(DISCLOSE)
    assert egress.grant(scenery.core, scenery.images("1.1").id) is not None
    return first


def _takes_back(scenery: Scenery, consent_id: str) -> None:
    scenery.clock.forward(hours=1)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)


@pytest.mark.parametrize("is_second_there_at_the_grant", [True, False])
@pytest.mark.parametrize("is_first_taken_back_first", [True, False])
def test_the_last_consent_that_permitted_is_recalled_whichever_it_is(
    scenery: Scenery, is_second_there_at_the_grant: bool, is_first_taken_back_first: bool
) -> None:
    second = scenery.consent(DISCLOSE) if is_second_there_at_the_grant else ""
    first = _left_under(scenery)
    second = second or scenery.consent(DISCLOSE)
    before, last = (first, second) if is_first_taken_back_first else (second, first)
    _takes_back(scenery, before)
    assert _open(scenery) == []
    _takes_back(scenery, last)
    [notice] = _open(scenery)
    assert notice.reason.startswith(f"consent {last} version 2")


def test_a_consent_that_permitted_since_the_first_one_ended_is_recalled(scenery: Scenery) -> None:
    """Time ended the one under which it left; the patient takes back the other one."""
    scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(days=1))
    assert egress.grant(scenery.core, scenery.images("1.1").id) is not None
    second = scenery.consent(DISCLOSE)
    scenery.clock.forward(days=2)
    assert _open(scenery) == []
    _takes_back(scenery, second)
    assert len(_open(scenery)) == 1


def test_a_consent_that_had_ended_before_is_not_missed(scenery: Scenery) -> None:
    """A consent that never covered what left is taken back after time ended the one that did: nothing is recalled."""
    scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(days=1))
    assert egress.grant(scenery.core, scenery.images("1.1").id) is not None
    second = scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(days=1))
    scenery.clock.forward(days=2)
    _takes_back(scenery, second)
    assert _open(scenery) == []


def test_another_flow_recalls_nothing(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(days=1))
    assert egress.grant(scenery.core, scenery.images("1.1").id) is not None
    other = scenery.consent(RETURN)
    scenery.clock.forward(days=2)
    scenery.consent(RETURN, status="inactive", of=other)
    assert _open(scenery) == []
