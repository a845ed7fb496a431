"""Who was turned away, as the trail has it, and as often as it has to be known."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from gateway.domain.errors import Transient
from gateway.services.denial_limit import MOST_ADDRESSES, DenialLimit
from gateway.services.denials import record_association_denial
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
        limit.leave(partial(recorded.append, number), f"192.0.2.{number % 2}", now=NOW)
    assert len(recorded) == 60


def test_what_cannot_be_recorded_is_logged_by_its_kind() -> None:
    def fail() -> None:
        raise Transient("the database at secret.example is away")

    with structlog.testing.capture_logs() as lines:
        DenialLimit().leave(fail, "192.0.2.1", now=NOW)
    assert [(line["event"], line["reason"]) for line in lines] == [("refusal unrecorded", "Transient")]


def left_out(database: Database) -> list[tuple[str, int, str]]:
    with database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.action == "refusals.left-out").order_by(audit.c.id))
        return [(row.actor, row.details["left_out"], row.details.get("address", "")) for row in rows]


def flooded(limit: DenialLimit, who: str, times: int, *, is_known: bool = False) -> None:
    for _ in range(times):
        limit.leave(lambda: None, who, now=NOW, is_known=is_known)


def test_what_is_over_the_limit_is_summed_up_a_minute_later(database: Database) -> None:
    limit = DenialLimit()
    flooded(limit, "192.0.2.1", 35)
    flooded(limit, "client1", 42, is_known=True)
    limit.sum_up(database, actor="web", now=NOW + timedelta(seconds=59))
    assert left_out(database) == []
    for seconds in (60, 61):
        limit.sum_up(database, actor="web", now=NOW + timedelta(seconds=seconds))
    assert left_out(database) == [("web", 5, "192.0.2.1"), ("client1", 12, "")]


def test_what_is_left_when_the_process_ends_is_told_then(database: Database) -> None:
    limit = DenialLimit()
    flooded(limit, "192.0.2.1", 31)
    limit.sum_up(database, actor="dicom-node", now=NOW, is_end=True)
    assert left_out(database) == [("dicom-node", 1, "192.0.2.1")]


def test_a_flood_from_everywhere_is_summed_up_in_few_rows(database: Database) -> None:
    limit = DenialLimit()
    for number in range(1000):
        flooded(limit, f"192.0.{number % 250}.{number}", 1)
    limit.sum_up(database, actor="web", now=NOW, is_end=True)
    found = left_out(database)
    assert (len(found), found[-1][2]) == (MOST_ADDRESSES + 1, "several")
    assert sum(count for _, count, _ in found) == 1000 - 120


def test_a_sum_that_cannot_be_recorded_is_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise Transient("away")

    limit = DenialLimit()
    flooded(limit, "192.0.2.1", 33)
    with monkeypatch.context() as away:
        away.setattr("gateway.store.audit.record", fail)
        limit.sum_up(database, actor="web", now=NOW, is_end=True)
    flooded(limit, "192.0.2.1", 1)
    limit.sum_up(database, actor="web", now=NOW, is_end=True)
    assert left_out(database) == [("web", 4, "192.0.2.1")]
