"""The audit rows that a clinic may see: those about its own patients and cases, newest first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, false, func, or_, select

from gateway.domain.audit_record import AuditRecord
from gateway.store.audit import record_of
from gateway.store.tables import audit, resource
from gateway.store.tables import case as cases

_Condition = ColumnElement[bool]


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
    query = _of_clinic(clinic_id).where(*_conditions(wanted)).order_by(audit.c.id.desc()).limit(count)
    rows = connection.execute(query.where(audit.c.id < before) if before else query)
    return [record_of(row, patient_id=row.of_patient) for row in rows]


def _of_clinic(clinic_id: str) -> Select[Any]:
    """What an earlier version wrote names the case alone, and the case its patient."""
    query = select(audit, func.coalesce(cases.c.patient_id, "").label("of_patient"))
    query = query.outerjoin(cases, cases.c.id == audit.c.case_id)
    is_patient = exists().where(resource.c.id == audit.c.patient_id, resource.c.party_id == clinic_id)
    return query.where(or_(is_patient, and_(audit.c.patient_id.is_(None), cases.c.clinic_id == clinic_id)))


def _conditions(wanted: Wanted) -> Sequence[_Condition]:
    conditions: list[_Condition] = []
    if wanted.ids is not None:
        conditions.append(audit.c.id.in_(wanted.ids))
    if wanted.patient_ids:
        of_cases = select(cases.c.id).where(cases.c.patient_id.in_(wanted.patient_ids))
        unnamed = and_(audit.c.patient_id.is_(None), audit.c.case_id.in_(of_cases))
        conditions.append(or_(audit.c.patient_id.in_(wanted.patient_ids), unnamed))
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
