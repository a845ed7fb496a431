"""The audit rows that a clinic may see: those about its own patients and cases, newest first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select, union_all

from gateway.domain.audit_record import AuditRecord
from gateway.store.audit import record_of
from gateway.store.tables import audit, resource
from gateway.store.tables import case as cases

_Condition = ColumnElement[bool]
_NEAR = 5000
_NEXT_ID = select(func.coalesce(func.max(audit.c.id), 0) + 1)
_ID = audit.c.id + 0
"""No index has this order: rows are found by whose they are, and put into their order afterwards."""


@dataclass(frozen=True)
class Actions:
    """Some of the actions: `exact` ones; those of `nouns` that are none of `all_exact`; of `verbs` likewise, and so on.

    `others` is everything that stands in none of the three tables.
    """

    exact: Collection[str]
    nouns: Collection[str]
    verbs: Collection[str]
    others: bool
    all_exact: Collection[str]
    all_nouns: Collection[str]
    all_verbs: Collection[str]


@dataclass(frozen=True)
class Moment:
    """When: `comparison` is a prefix of FHIR's (`eq`, `ge`, ...) to what lasts from `low` to before `high`."""

    comparison: str
    low: datetime
    high: datetime


@dataclass(frozen=True)
class Wanted:
    """Each that is not empty has to hold, by any of its choices; of `moments` and `actions` each group of choices."""

    ids: tuple[int, ...] | None = None
    patient_ids: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    moments: tuple[tuple[Moment, ...], ...] = ()
    actions: tuple[tuple[Actions, ...], ...] = ()


def visible(
    connection: Connection, clinic_id: str, wanted: Wanted, *, count: int, before: int = 0
) -> list[AuditRecord]:
    """At most `count` rows with an id below `before` (0: any), newest first."""
    near = _answer(connection, clinic_id, wanted, count=count, before=before, is_near=True)
    return near if len(near) == count else _answer(connection, clinic_id, wanted, count=count, before=before)


def _answer(
    connection: Connection, clinic_id: str, wanted: Wanted, *, count: int, before: int, is_near: bool = False
) -> list[AuditRecord]:
    """With `is_near` only from the newest rows of all, where whoever has much in the trail finds a page at once."""
    begin = before or connection.execute(_NEXT_ID).scalar_one()
    within = audit.c.id.between(begin - _NEAR, begin - 1) if is_near else begin > _ID
    parts = [one.where(within).order_by(_ID.desc()).limit(count) for one in _parts(clinic_id, wanted)]
    both = union_all(*(select(part.subquery()) for part in parts)).subquery()
    rows = connection.execute(select(both).order_by(both.c.id.desc()).limit(count))
    return [record_of(row, patient_id=row.of_patient) for row in rows]


def _parts(clinic_id: str, wanted: Wanted) -> tuple[Select[Any], Select[Any]]:
    """Rows that name a patient of the clinic, and those that an earlier version wrote: they name the case alone.

    Each by its own index: asked for with OR, the whole trail is walked for a clinic that has little in it.
    """
    own_patients = select(resource.c.id).where(resource.c.party_id == clinic_id)
    named = select(audit, audit.c.patient_id.label("of_patient")).where(audit.c.patient_id.in_(own_patients))
    own_cases = select(cases.c.id).where(cases.c.clinic_id == clinic_id)
    of_case = select(cases.c.patient_id).where(cases.c.id == audit.c.case_id).scalar_subquery()
    unnamed = select(audit, of_case.label("of_patient"))
    unnamed = unnamed.where(func.coalesce(audit.c.patient_id, "") == "", audit.c.case_id.in_(own_cases))
    if wanted.patient_ids:
        named = named.where(audit.c.patient_id.in_(wanted.patient_ids))
        theirs = select(cases.c.id).where(cases.c.patient_id.in_(wanted.patient_ids))
        unnamed = unnamed.where(audit.c.case_id.in_(theirs))
    conditions = _conditions(wanted)
    return named.where(*conditions), unnamed.where(*conditions)


def _conditions(wanted: Wanted) -> Sequence[_Condition]:
    conditions: list[_Condition] = []
    if wanted.ids is not None:
        conditions.append(audit.c.id.in_(wanted.ids))
    if wanted.entities:
        conditions.append(or_(*map(_is_about, wanted.entities)))
    if wanted.actors:
        conditions.append(audit.c.actor.in_(wanted.actors))
    conditions += [or_(*map(_is_then, choices)) for choices in wanted.moments]
    return [*conditions, *(or_(*map(_is_one_of, choices)) for choices in wanted.actions)]


def _is_about(entity: str) -> _Condition:
    """The resource in any version; a Patient also where the row is about something of theirs."""
    named = or_(audit.c.subject == entity, audit.c.subject.startswith(f"{entity}/", autoescape=True))
    kind, _, patient_id = entity.partition("/")
    return or_(named, audit.c.patient_id == patient_id) if kind == "Patient" else named


def _is_then(moment: Moment) -> _Condition:
    at, low, high = audit.c.at, moment.low, moment.high
    within = and_(at >= low, at < high)
    compared = {"eq": within, "ne": ~within, "ge": at >= low, "le": at < high, "lt": at < low, "eb": at < low}
    return compared.get(moment.comparison, at >= high)  # gt, sa


def _is_one_of(actions: Actions) -> _Condition:
    """In this order of precedence: the whole action, its noun, its verb."""
    exact, by_noun, by_verb = _among(actions.exact), _nouns(actions.nouns), _verbs(actions.verbs)
    other_exact, other_noun, other_verb = (
        ~_among(actions.all_exact),
        ~_nouns(actions.all_nouns),
        ~_verbs(actions.all_verbs),
    )
    found = [exact, and_(other_exact, by_noun), and_(other_exact, other_noun, by_verb)]
    return or_(*found, and_(other_exact, other_noun, other_verb)) if actions.others else or_(*found)


def _among(names: Collection[str]) -> _Condition:
    return audit.c.action.in_(sorted(names))


def _nouns(names: Collection[str]) -> _Condition:
    return or_(false(), *(audit.c.action.startswith(f"{name}.", autoescape=True) for name in sorted(names)))


def _verbs(names: Collection[str]) -> _Condition:
    return or_(false(), *(audit.c.action.endswith(f".{name}", autoescape=True) for name in sorted(names)))
