"""What the current version of each resource is found by, in rows (`fhir_mappings.search_parameters`)."""

from collections.abc import Collection, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, select, update

from fhir_mappings.search_parameters import Found, found_by
from gateway.domain.resource import StoredResource
from gateway.store.resources import EVERY_VERSION, IS_NEWEST, lock_party, stored
from gateway.store.tables import party, resource, resource_span, resource_text, resource_token
from gateway.store.tables.resources import NOT_INDEXED, STILL_INDEXED

TABLES = (resource_token, resource_text, resource_span)

_ZONE = select(party.c.time_zone).where(party.c.id == bindparam("of_party"))
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_MARK = update(resource).where(resource.c.id.in_(_IDS)).values(indexed_version=resource.c.version)
_CLEAR = [delete(table).where(table.c.resource_id.in_(_IDS)) for table in TABLES]
_WAITING = (
    select(resource.c.id)
    .where(resource.c.party_id == bindparam("of_party"), resource.c.type == bindparam("of_type"), NOT_INDEXED)
    .limit(bindparam("at_most"))
)
_FIRST_WAITING = select(resource.c.party_id, resource.c.type).where(NOT_INDEXED).limit(1)
_LEFT_BEHIND = select(resource.c.id).where(STILL_INDEXED).limit(bindparam("at_most"))
_UNMARK = update(resource).where(resource.c.id.in_(_IDS)).values(indexed_version=None)
_CURRENT = EVERY_VERSION.where(IS_NEWEST, resource.c.id.in_(_WAITING))


def write(connection: Connection, new: StoredResource) -> None:
    """Make these the rows that the resource is found by, in the transaction that stores the version."""
    _write(connection, [new], _zone_of(connection, new.party_id))


def is_behind(connection: Connection, party_id: str, resource_type: str) -> bool:
    """True where the previous version of the gateway stored a resource of the type, which wrote no such rows."""
    wanted = {"of_party": party_id, "of_type": resource_type, "at_most": 1}
    return connection.execute(_WAITING, wanted).scalar() is not None


def catch_up(connection: Connection, party_id: str, resource_type: str, *, at_most: int) -> bool:
    """Write the rows of so many resources that have none; True when there may be more of them."""
    lock_party(connection, party_id)
    zone = _zone_of(connection, party_id)
    wanted = {"of_party": party_id, "of_type": resource_type, "at_most": at_most}
    waiting = [stored(row) for row in connection.execute(_CURRENT, wanted)]
    if waiting:
        _write(connection, waiting, zone)
    return len(waiting) == at_most


def first_waiting(connection: Connection) -> tuple[str, str] | None:
    """A party, and the type of a resource of it that has no such rows."""
    row = connection.execute(_FIRST_WAITING).first()
    return None if row is None else (row.party_id, row.type)


def is_any_left_behind(connection: Connection) -> bool:
    """True where the previous version destroyed a resource, and left the rows that it knows nothing of."""
    return connection.execute(_LEFT_BEHIND, {"at_most": 1}).scalar() is not None


def forget_destroyed(connection: Connection, *, at_most: int) -> None:
    """Remove the rows of so many resources that were destroyed like that."""
    left = list(connection.execute(_LEFT_BEHIND, {"at_most": at_most}).scalars())
    if left:
        forget(connection, left)


def forget(connection: Connection, ids: Collection[str]) -> None:
    """Nothing finds these resources any more."""
    for statement in (*_CLEAR, _UNMARK):
        connection.execute(statement, {"ids": list(ids)})


def _zone_of(connection: Connection, party_id: str) -> ZoneInfo:
    return ZoneInfo(connection.execute(_ZONE, {"of_party": party_id}).scalar_one())


def _write(connection: Connection, current: Sequence[StoredResource], zone: ZoneInfo) -> None:
    """`current` are the newest versions of their resources."""
    ids = {"ids": [one.id for one in current]}
    for clear in _CLEAR:
        connection.execute(clear, ids)
    found = [({"resource_id": one.id, "party_id": one.party_id, "type": one.type}, one.content) for one in current]
    rows = [(head, _rows(found_by(content, zone))) for head, content in found]
    for number, table in enumerate(TABLES):
        of_table = [head | row for head, by_table in rows for row in by_table[number]]
        if of_table:
            connection.execute(insert(table), of_table)
    connection.execute(_MARK, ids)


def _rows(found: Found) -> tuple[list[dict[str, Any]], ...]:
    """In the order of `TABLES`."""
    return (
        [{"parameter": name, "system": system, "code": code} for name, system, code in sorted(found.tokens)],
        [{"parameter": name, "folded": folded, "written": written} for name, folded, written in sorted(found.texts)],
        [{"parameter": name, "low": low, "high": high} for name, low, high in sorted(found.spans)],
    )
