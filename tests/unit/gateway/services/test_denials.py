"""Who was turned away, as the trail has it, and as often as it has to be known."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from gateway.domain.errors import Transient
from gateway.services.denials import DenialLimit, record_association_denial
from gateway.store.engine import Database
from gateway.store.tables import audit

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def denied(database: Database, ae_title: str) -> Any:
    record_association_denial(
        database, reason="calling-ae-title", address="192.0.2.1", calling_ae_title=ae_title, now=NOW
    )
    with database.read() as connection:
        return connection.execute(select(audit).order_by(audit.c.id.desc())).first()


@pytest.mark.parametrize(
    "ae_title", ["", "NOBODY", "A\x00B", "Öztürk", "x" * 99], ids=["none", "unknown", "null", "not-ascii", "long"]
)
def test_whatever_a_stranger_calls_itself_it_leaves_a_row_without_it(database: Database, ae_title: str) -> None:
    row = denied(database, ae_title)
    assert (row.action, row.actor, row.outcome, row.subject) == ("dicom.denied", "dicom-node", "denied", "association")
    assert row.details == {"reason": "calling-ae-title", "address": "192.0.2.1"}


def test_a_flood_is_recorded_up_to_its_limit() -> None:
    limit, recorded = DenialLimit(), list[int]()
    for number in range(200):
        limit.leave(partial(recorded.append, number), f"192.0.2.{number % 2}")
    assert len(recorded) == 60


def test_what_cannot_be_recorded_is_logged_by_its_kind() -> None:
    def fail() -> None:
        raise Transient("the database at secret.example is away")

    with structlog.testing.capture_logs() as lines:
        DenialLimit().leave(fail, "192.0.2.1")
    assert [(line["event"], line["reason"]) for line in lines] == [("refusal unrecorded", "Transient")]
