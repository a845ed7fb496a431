"""What is recorded of a decision, and that what was granted is what may leave."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.delivery import EgressGrant
from gateway.domain.errors import Permanent
from gateway.domain.record import Delivery
from gateway.domain.work import JobKind
from gateway.services import consent_listing, egress
from gateway.services.disclosure import item_of
from gateway.services.sending import Permission, Sending
from gateway.services.story import case_story
from gateway.services.to_reviewer import send_to_reviewer
from gateway.store import deliveries
from gateway.store.tables import audit, delivery_item
from tests.statements import executed
from tests.unit.gateway.services.scenery import DATA, DISCLOSE, RETURN, Scenery

NOTHING = "No consent permits all items (1) to leave (return-to-clinic)."


def _granted(scenery: Scenery, delivery: Delivery) -> EgressGrant:
    granted = egress.grant(scenery.core, delivery.id)
    assert granted is not None
    return granted


@contextmanager
def _permission(scenery: Scenery, delivery: Delivery) -> Iterator[Permission]:
    granted = _granted(scenery, delivery)
    with Permission(scenery.core, scenery.claimed(JobKind.DELIVERY_SEND, delivery.id), granted) as permission:
        yield permission


def test_only_the_payload_that_was_granted_may_leave(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    with _permission(scenery, delivery) as permission:
        permission.require(delivery.payload_sha256)
        with pytest.raises(Permanent, match="not what was granted"):
            permission.require("0" * 64)


def test_a_renewed_grant_of_another_payload_does_not_cover_this_one(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    granted = _granted(scenery, delivery)
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, delivery.id, now=scenery.clock(), payload_sha256="1" * 64)
    scenery.clock.forward(seconds=61)
    job = scenery.claimed(JobKind.DELIVERY_SEND, delivery.id)
    with Permission(scenery.core, job, granted) as permission, pytest.raises(Permanent, match="not what was granted"):
        permission.require(delivery.payload_sha256)


class _Node:
    """Takes whatever it is sent, and remembers it."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def __enter__(self) -> "_Node":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, content: bytes, *, before_send: Callable[[], None] = lambda: None) -> int:
        before_send()
        self.received.append(content)
        return 0x0000


class _Outside:
    """Only the reviewer's node is there."""

    def __init__(self, node: _Node) -> None:
        self.open_sender = lambda _address, _contexts: node


def test_objects_that_changed_after_the_grant_are_not_sent(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1", "1.2")
    node = _Node()
    outside: Any = _Outside(node)
    other = scenery.core.blobs.put(b"other pixels")
    with scenery.core.database.write("test") as connection:
        connection.execute(delivery_item.update().where(delivery_item.c.position == 1).values(blob_sha256=other))
    with _permission(scenery, delivery) as permission, pytest.raises(Permanent, match="not what was granted"):
        send_to_reviewer(scenery.core, Sending(delivery, permission, may_have_left=False), outside)
    assert node.received == []


def test_a_denial_says_what_was_asked_and_why(scenery: Scenery) -> None:
    revoked = scenery.consent(RETURN)
    scenery.consent(DISCLOSE)
    delivery = scenery.report()
    scenery.clock.forward(hours=1)
    scenery.consent(RETURN, status="inactive", of=revoked)
    why = f"Consent {revoked} version 2 does not count: its status is inactive, not active, since"
    reasons = [NOTHING, f"{why} 2026-03-02T13:00:00+03:00."]

    with scenery.core.database.read() as connection:
        details = connection.execute(select(audit.c.details).where(audit.c.action == "egress.denied")).scalar_one()
        [decision] = [one for one in deliveries.decisions(connection, scenery.case.id) if one.outcome == "deny"]
    assert details == {
        "decision": decision.id,
        "kind": "report-to-ehr",
        "flow": "return-to-clinic",
        "to": "ankara",
        "purposes": ["COC", "TREAT"],
        "consents": [f"{one}/{version}" for one, version in decision.consents],
        "reasons": reasons,
    }
    assert f"{revoked}/2" in details["consents"]
    station = case_story(scenery.core, scenery.case.id).stations[-1]
    assert station.detail == f"return-to-clinic to ankara for COC or TREAT: {' '.join(reasons)}"
    held = f"report-to-ehr held: {' '.join(reasons)}"
    assert scenery.waits()[held] == (
        "the clinic ankara, by a consent of the patient that permits return-to-clinic to ankara for COC or TREAT; "
        f"on file is what this shows: consilium consent list --case {scenery.case.id}"
    )
    assert scenery.delivery(delivery.id).waits_for.endswith(" ".join(reasons))


def test_the_date_of_a_report_is_the_day_in_the_clinic(scenery: Scenery) -> None:
    scenery.clock.time = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # half past one in the morning in Ankara
    delivery = scenery.report()
    with scenery.core.database.read() as connection:
        assert str(item_of(connection, scenery.case, delivery).date) == "2026-03-03"


def test_the_list_of_consents_says_what_each_permits(scenery: Scenery) -> None:
    unknown = replace(DATA, reviewer=replace(DATA.reviewer, value="nobody"))
    disclose, other = scenery.consent(DISCLOSE), scenery.consent(DISCLOSE, case=unknown)
    returned = scenery.consent(RETURN)
    scenery.consent(RETURN, status="inactive", of=returned)
    lines = {one.id: one for one in consent_listing.consent_lines(scenery.core, scenery.case.id)}
    shown = {
        key: (one.version, one.status, one.effect, one.flow, one.recipient, one.purpose) for key, one in lines.items()
    }
    assert shown == {
        disclose: (1, "active", "permit", "disclose-to-reviewer", "board", "TREAT"),
        other: (1, "active", "permit", "disclose-to-reviewer", "https://parties.example|nobody", "TREAT"),
        returned: (2, "inactive", "permit", "return-to-clinic", "ankara", "COC"),
    }


def test_the_list_of_consents_asks_for_the_parties_once(scenery: Scenery) -> None:
    for _ in range(3):
        scenery.consent(DISCLOSE)
    with executed() as statements:
        assert len(consent_listing.consent_lines(scenery.core, scenery.case.id)) == 3
    assert len([one for one in statements if "FROM party" in one.sql]) == 1


def test_a_consent_that_comes_is_read_once_for_all_deliveries_of_a_case(scenery: Scenery) -> None:
    scenery.images("1.2.3.4.5")
    scenery.report()
    with executed() as statements:
        scenery.consent(DISCLOSE)
    decided = [one for one in statements if one.sql.startswith("INSERT INTO decision")]
    read = [one for one in statements if "resource_version.content" in one.sql and "Consent" in one.parameters]
    assert (len(decided), len(read)) == (2, 1)


def test_the_story_asks_for_receipts_and_objects_once(scenery: Scenery) -> None:
    scenery.images("1.2.3.4.5")
    with executed() as one_delivery:
        case_story(scenery.core, scenery.case.id)
    scenery.report()
    with executed() as two_deliveries:
        case_story(scenery.core, scenery.case.id)
    for statements in (one_delivery, two_deliveries):
        assert len([one for one in statements if "delivery.receipt FROM" in one.sql]) == 1
        assert not [one for one in statements if "instance.blob_sha256" in one.sql]
