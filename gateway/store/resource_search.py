"""Search over the current versions of one party's resources of one type, page by page in the order of their ids."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, exists, func, not_, or_, select, true

from fhir_mappings.search_parameters import ID, IDENTIFIER, LAST_UPDATED, Kind
from fhir_mappings.search_query import Choice, Clause, Span, Text, Token
from gateway.domain.party import Identifier
from gateway.domain.resource import StoredResource
from gateway.store import resources
from gateway.store.tables import resource, resource_identifier, resource_span, resource_text, resource_token

_BEYOND = "\U0010ffff"
"""The last code point: what begins with a text is before the text followed by it."""

_TABLES = {
    Kind.REFERENCE: resource_token,
    Kind.STRING: resource_text,
    Kind.DATE: resource_span,
    Kind.TOKEN: resource_token,
}
_RANK = {kind: rank for rank, kind in enumerate(_TABLES)}
_COLUMNS = (ID, LAST_UPDATED)

_MILLISECOND = timedelta(milliseconds=1)
"""How exactly meta.lastUpdated is written."""


@dataclass(frozen=True)
class Criteria:
    """All of the clauses have to hold."""

    type: str
    clauses: tuple[Clause, ...] = ()


@dataclass(frozen=True)
class Page:
    """`total` counts every match; `next_after` is the id after which the next page begins, '' on the last one."""

    resources: tuple[StoredResource, ...]
    total: int
    next_after: str


def search(connection: Connection, party_id: str, criteria: Criteria, *, count: int, after: str = "") -> Page:
    """At most `count` matches with an id greater than `after`; `count` 0 gives the total alone."""
    found = _matches(party_id, criteria).subquery()
    total = connection.execute(select(func.count()).select_from(found)).scalar_one()
    if count == 0:
        return Page((), int(total), "")
    page = select(found).where(found.c[0] > after).order_by(found.c[0]).limit(count + 1)
    ids = connection.execute(page).scalars().all()
    shown = resources.of_ids(connection, ids[:count])
    return Page(tuple(shown), int(total), ids[count - 1] if len(ids) > count else "")


def _matches(party_id: str, criteria: Criteria) -> Select[Any]:
    """The ids of what the party has and every clause holds of.

    It begins with the rows of the clause that usually lets the fewest through, and looks at each of these by its id. A
    join would leave that to SQLite, which without statistics reads everything that the party has of the type.
    """
    is_there = [resource.c.party_id == party_id, resource.c.type == criteria.type, resource.c.destroyed_at.is_(None)]
    is_there += [_is_of_column(one) for one in criteria.clauses if one.parameter in _COLUMNS]
    by_rows = sorted((one for one in criteria.clauses if one.parameter not in _COLUMNS), key=_rank)
    if not by_rows or by_rows[0].is_missing is not None:
        query = select(resource.c.id).where(*is_there)
        return query.where(*(_condition(one, resource.c.id) for one in by_rows))
    first, *others = by_rows
    table = _table(first)
    one_id = table.c.resource_id.concat("")  # no column: SQLite would read all rows in its order to name each once
    query = select(one_id).where(table.c.party_id == party_id, table.c.type == criteria.type)
    query = query.where(_is_match(first, table)).distinct()
    query = query.where(exists().where(resource.c.id == table.c.resource_id, *is_there))
    return query.where(*(_condition(one, table.c.resource_id) for one in others))


def _rank(clause: Clause) -> int:
    """What usually lets the fewest through comes first; that something is missing is known only of what was found."""
    if clause.is_missing is not None:
        return len(_RANK)
    return -1 if clause.parameter == IDENTIFIER else _RANK[clause.parameter.kind]


def _is_of_column(clause: Clause) -> ColumnElement[bool]:
    if clause.parameter == ID:
        return resource.c.id.in_(clause.choices)
    return or_(*(_is_updated(one) for one in clause.choices))


def _table(clause: Clause) -> Table:
    return resource_identifier if clause.parameter == IDENTIFIER else _TABLES[clause.parameter.kind]


def _condition(clause: Clause, resource_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Of the resource of that id."""
    table = _table(clause).alias()  # the query may look for another clause in the same one
    is_found = exists().where(table.c.resource_id == resource_id, _is_match(clause, table))
    return not_(is_found) if clause.is_missing else is_found


def _is_match(clause: Clause, table: FromClause) -> ColumnElement[bool]:
    """Of one row of the table, whatever the value where it is asked only whether there is one."""
    is_one = or_(*(_holds(one, table) for one in clause.choices)) if clause.choices else true()
    return is_one if clause.parameter == IDENTIFIER else and_(table.c.parameter == clause.parameter.name, is_one)


def _holds(choice: Choice, table: FromClause) -> ColumnElement[bool]:
    if isinstance(choice, Identifier):
        return and_(table.c.system == choice.system, table.c.value == choice.value)
    if isinstance(choice, Token):
        columns = ((table.c.system, choice.system), (table.c.code, choice.code))
        return and_(*(column == value for column, value in columns if value is not None))
    if isinstance(choice, Text):
        return _begins(choice, table)
    if isinstance(choice, Span):
        return _is_in_time(choice, table.c.low, table.c.high)
    raise TypeError("a logical id is no row")


def _begins(text: Text, table: FromClause) -> ColumnElement[bool]:
    if text.is_exact:
        return and_(table.c.folded == text.folded, table.c.written == text.text)
    return and_(table.c.folded >= text.folded, table.c.folded < text.folded + _BEYOND)


def _is_updated(choice: Choice) -> ColumnElement[bool]:
    if not isinstance(choice, Span):
        raise TypeError("a date is compared with a date")
    each = replace(choice, high=choice.high - _MILLISECOND)  # a moment lasts as long as it is exact
    return _is_in_time(each, resource.c.updated_at, resource.c.updated_at)


def _is_in_time(asked: Span, low: ColumnElement[Any], high: ColumnElement[Any]) -> ColumnElement[bool]:
    """https://hl7.org/fhir/R4/search.html#prefix, of a value that lasts from `low` to `high`.

    What follows from the rest is said as well where it bounds what is read of the index, which begins with `low`.
    """
    is_within = and_(low >= asked.low, low <= asked.high, high <= asked.high)
    return {
        "eq": is_within,
        "ne": not_(is_within),
        "gt": high > asked.high,
        "ge": or_(high > asked.high, is_within),
        "lt": low < asked.low,
        "le": and_(low <= asked.high, or_(low < asked.low, is_within)),
        "sa": low >= asked.high,
        "eb": high <= asked.low,
    }[asked.comparison]
