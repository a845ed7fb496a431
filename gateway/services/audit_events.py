"""A clinic reads what the audit trail says of its own patients and cases, as AuditEvents. That it did is recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fhir_mappings.audit_event import Site, audit_event_to_fhir
from fhir_mappings.audit_patterns import ELSE, OF_ACTION, OF_NOUN, OF_VERB, Pattern
from fhir_mappings.search_query import Clause, Span, Token
from gateway.domain.audit_record import AuditRecord
from gateway.domain.caller import Caller
from gateway.domain.errors import Invalid, NotFound
from gateway.services.event_ids import EventIds
from gateway.store import audit, audit_search
from gateway.store.audit_search import Actions, Moment, Wanted
from gateway.store.engine import Database

TYPE = "AuditEvent"


@dataclass(frozen=True)
class Events:
    """One page, newest first; `next_before` is the id that the next page lies below, '' on the last one."""

    events: tuple[dict[str, Any], ...]
    next_before: str


@dataclass(frozen=True)
class Naming:
    """How the events name this gateway and themselves."""

    site: Site
    ids: EventIds

    def event(self, record: AuditRecord) -> dict[str, Any]:
        """The row as it is shown."""
        return audit_event_to_fhir(record, self.site, self.ids.of(record.id))


def read(database: Database, caller: Caller, event_id: str, *, naming: Naming, now: datetime) -> dict[str, Any]:
    """One AuditEvent. Raises NotFound, also for one about somebody else's patient."""
    number = naming.ids.number(event_id)
    with database.read() as connection:
        wanted = Wanted(ids=(number,) if number else ())
        found = audit_search.visible(connection, caller.party.id, wanted, count=1)
    if not found:
        raise NotFound(f"no {TYPE} of this id")
    patient_id = found[0].patient_id
    _remember(database, caller, "fhir.read", now=now, patient_id=patient_id, subject=f"{TYPE}/{event_id}")
    return naming.event(found[0])


def search(
    database: Database,
    caller: Caller,
    clauses: Sequence[Clause],
    *,
    count: int,
    after: str,
    naming: Naming,
    now: datetime,
) -> Events:
    """One page of what matches all clauses. Raises Invalid for one that is not understood here."""
    wanted, before = _wanted(clauses, naming.ids), naming.ids.number(after)
    if after and not before:
        raise Invalid("_after is the one of a next link", at="_after")
    with database.read() as connection:
        found = audit_search.visible(connection, caller.party.id, wanted, count=count + 1, before=before)
    patient_id = wanted.patient_ids[0] if len(wanted.patient_ids) == 1 else ""
    if patient_id and not any(one.patient_id == patient_id for one in found):
        patient_id = ""  # what is not the caller's, or is not there, is not noted as a patient
    by = sorted(clause.parameter.name for clause in clauses)
    _remember(database, caller, "fhir.search", now=now, patient_id=patient_id, subject=TYPE, by=by)
    shown = found[:count]
    next_before = naming.ids.of(shown[-1].id) if shown and len(found) > count else ""
    return Events(tuple(map(naming.event, shown)), next_before)


def _remember(
    database: Database,
    caller: Caller,
    action: str,
    *,
    now: datetime,
    patient_id: str,
    subject: str,
    by: Sequence[str] = (),
) -> None:
    details = {"party": caller.party.id, "address": caller.address} | ({"by": list(by)} if by else {})
    with database.write("fhir.read") as connection:
        audit.record(
            connection,
            at=now,
            actor=caller.client_id,
            action=action,
            patient_id=patient_id or None,
            subject=subject,
            details=details,
        )


def _wanted(clauses: Sequence[Clause], ids: EventIds) -> Wanted:
    wanted = Wanted()
    for clause in clauses:
        name, tokens = clause.parameter.name, [one for one in clause.choices if isinstance(one, Token)]
        if clause.is_missing is not None:
            raise Invalid(f"{name} takes no modifier here", at=name)
        if name == "_id":
            wanted = replace(wanted, ids=tuple(filter(None, (ids.number(str(one)) for one in clause.choices))))
        elif name in ("date", "_lastUpdated"):
            spans = [one for one in clause.choices if isinstance(one, Span)]
            moments = tuple(Moment(one.comparison, one.low, one.high) for one in spans)
            wanted = replace(wanted, moments=(*wanted.moments, moments))
        elif name == "patient":
            wanted = replace(wanted, patient_ids=tuple(one.code or "" for one in tokens))
        elif name == "entity":
            wanted = replace(wanted, entities=tuple(_entity(one) for one in tokens))
        elif name == "altid":
            wanted = replace(wanted, actors=tuple(one.code or "" for one in tokens))
        else:
            actions = tuple(_actions(_OF_PARAMETER[name](one)) for one in tokens)
            wanted = replace(wanted, actions=(*wanted.actions, actions))
    return wanted


def _entity(token: Token) -> str:
    if not token.system:
        raise Invalid("entity is searched as Type/id", at="entity")
    return f"{token.system}/{token.code}"


def _by_action(token: Token) -> Callable[[Pattern], bool]:
    return lambda pattern: token.code in (None, pattern.action)


def _by_type(token: Token) -> Callable[[Pattern], bool]:
    return lambda pattern: token.code in (None, pattern.type_code) and token.system in (None, pattern.type_system)


_OF_PARAMETER: dict[str, Callable[[Token], Callable[[Pattern], bool]]] = {"action": _by_action, "type": _by_type}


def _actions(fits: Callable[[Pattern], bool]) -> Actions:
    exact, nouns, verbs = (
        [name for name, pattern in table.items() if fits(pattern)] for table in (OF_ACTION, OF_NOUN, OF_VERB)
    )
    return Actions(exact, nouns, verbs, fits(ELSE), OF_ACTION, OF_NOUN, OF_VERB)
