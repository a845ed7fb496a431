"""What was decided when a reviewer asked to read something of a case.

They may ask every minute: runs of equal answers are counted by the database, and only the ends of each are fetched.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, cast, func, select

from gateway.domain.consent import Outcome
from gateway.store.tables import audit, decision

GRANTED, DENIED = "read.granted", "read.denied"


@dataclass(frozen=True)
class Undecided:
    """So many requests, from `at` to `last_at`, could not be decided on, for the same reasons.

    They are no run: between them others may have been decided on.
    """

    at: datetime
    times: int
    last_at: datetime
    reasons: tuple[str, ...]


def runs(connection: Connection, case_id: str) -> list[Row[Any]]:
    """The audit row that begins each run, with `times`, `last_at` and the `reasons` of its last decision, oldest first.

    A run is of one thing and one party, and ends where the answer becomes another one or stands on other consents.
    """
    of_whom = (audit.c.subject, audit.c.details["party"].as_string())
    alike = (audit.c.action, cast(audit.c.details["consents"], Text))
    asked = (
        select(audit.c.id, audit.c.at, *_named(of_whom, "of"), *_named(alike, "alike"), _run(of_whom, alike))
        .where(audit.c.case_id == case_id, audit.c.action.in_((GRANTED, DENIED)))
        .subquery()
    )
    same = [column for column in asked.c if column.name not in ("id", "at")]
    begun = (
        select(
            func.min(asked.c.id).label("id"),
            func.max(asked.c.id).label("last_id"),
            func.count().label("times"),
            func.max(asked.c.at).label("last_at"),
        )
        .group_by(*same)
        .subquery()
    )
    first = select(audit, begun.c.times, begun.c.last_at, decision.c.reasons).join(begun, begun.c.id == audit.c.id)
    last = audit.alias()
    of_decision = decision.c.id == last.c.details["decision"].as_string()
    both = first.join(last, last.c.id == begun.c.last_id).join(decision, of_decision)
    return list(connection.execute(both.order_by(audit.c.id)).all())


def undecided_by_reasons(connection: Connection, case_id: str) -> list[Undecided]:
    """What could not be decided on, and so was not answered, by its reasons, oldest first."""
    moments, reasons = decision.c.decided_at, cast(decision.c.reasons, Text)
    is_it = (decision.c.delivery_id.is_(None), decision.c.outcome == Outcome.INDETERMINATE)
    counted = select(func.min(moments), func.count(), func.max(moments), reasons).group_by(reasons)
    rows = connection.execute(counted.where(decision.c.case_id == case_id, *is_it).order_by(func.min(moments)))
    return [Undecided(at, times, last_at, tuple(json.loads(text))) for at, times, last_at, text in rows]


def _named(columns: tuple[ColumnElement[Any], ...], name: str) -> list[ColumnElement[Any]]:
    return [column.label(f"{name}_{number}") for number, column in enumerate(columns)]


def _run(of_whom: tuple[ColumnElement[Any], ...], alike: tuple[ColumnElement[Any], ...]) -> ColumnElement[int]:
    """The same number for what follows each other and is alike: how many others came before it."""
    among_all = func.row_number().over(partition_by=of_whom, order_by=audit.c.id)
    among_alike = func.row_number().over(partition_by=(*of_whom, *alike), order_by=audit.c.id)
    return (among_all - among_alike).label("others")
