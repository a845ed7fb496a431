"""Search over the current versions of one party's resources of one type, page by page in the order of their ids."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from gateway.domain.party import Identifier
from gateway.domain.resource import StoredResource
from gateway.store.resources import current_versions, stored
from gateway.store.tables import resource, resource_identifier, resource_reference


@dataclass(frozen=True)
class Criteria:
    """All of these have to hold. `references` are (search parameter, target id); `ids` is a choice, empty = any."""

    type: str
    identifier: Identifier | None = None
    ids: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Page:
    """`total` counts every match; `next_after` is the id after which the next page begins, '' on the last one."""

    resources: tuple[StoredResource, ...]
    total: int
    next_after: str


def search(connection: Connection, party_id: str, criteria: Criteria, *, count: int, after: str = "") -> Page:
    """At most `count` matches with an id greater than `after`; `count` 0 gives the total alone."""
    query = current_versions(party_id, criteria.type).where(*_conditions(party_id, criteria))
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    if count == 0:
        return Page((), int(total), "")
    rows = connection.execute(query.where(resource.c.id > after).order_by(resource.c.id).limit(count + 1)).all()
    matches = tuple(stored(row) for row in rows[:count])
    return Page(matches, int(total), matches[-1].id if len(rows) > count else "")


def _conditions(party_id: str, criteria: Criteria) -> list[ColumnElement[Any]]:
    conditions: list[ColumnElement[Any]] = []
    if criteria.ids:
        conditions.append(resource.c.id.in_(criteria.ids))
    if criteria.identifier is not None:
        is_it = and_(
            resource_identifier.c.party_id == party_id,  # an index begins with party and type
            resource_identifier.c.type == criteria.type,
            resource_identifier.c.system == criteria.identifier.system,
            resource_identifier.c.value == criteria.identifier.value,
        )
        conditions.append(resource.c.id.in_(select(resource_identifier.c.resource_id).where(is_it)))
    for parameter, target_id in criteria.references:
        is_it = and_(resource_reference.c.parameter == parameter, resource_reference.c.target_id == target_id)
        conditions.append(resource.c.id.in_(select(resource_reference.c.resource_id).where(is_it)))
    return conditions
