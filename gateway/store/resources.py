"""FHIR resources by tenant: every version as stored, the business identifiers and the references of the current one.

Whoever asks says for which party; a resource of another party is not there. Nothing is overwritten, and nothing deleted
but by the rules of retention (`forgetting`), which leave the row and the hash of what was there.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from fhir_mappings.binary import binary_data
from fhir_mappings.json_text import read_own_json
from gateway.domain.errors import Conflict, Gone, NotFound, Transient
from gateway.domain.party import Identifier
from gateway.domain.resource import StoredResource
from gateway.store.tables import party, resource, resource_identifier, resource_reference, resource_version

_MOST_ASKED = 500
"""Ids in one query, well below the parameters that SQLite and PostgreSQL allow."""

_one = resource_version.c
EVERY_VERSION = (
    select(resource.c.id, resource.c.party_id, resource.c.type)
    .add_columns(_one.version, _one.client_id, _one.created_at, _one.content)
    .join_from(resource, resource_version, _one.resource_id == resource.c.id)
    .where(resource.c.destroyed_at.is_(None))
)
"""Rows for `stored`, of every party and type."""
IS_NEWEST = _one.version == resource.c.version

_VERSIONS = EVERY_VERSION.where(resource.c.party_id == bindparam("of_party"), resource.c.type == bindparam("of_type"))
_NEWEST = _VERSIONS.where(IS_NEWEST)

# Built once: these run for every sending.
_CURRENT = _NEWEST.where(resource.c.id == bindparam("of_resource"))
_VERSION = _VERSIONS.where(resource.c.id == bindparam("of_resource"), _one.version == bindparam("of_version"))
_VERSION_AT = (
    _VERSIONS.where(resource.c.id == bindparam("of_resource"), _one.created_at <= bindparam("at"))
    .order_by(_one.version.desc())
    .limit(1)
)
_OF_PARTY = EVERY_VERSION.where(
    IS_NEWEST, resource.c.party_id == bindparam("of_party"), resource.c.id.in_(bindparam("ids", expanding=True))
)
_OF_IDS = EVERY_VERSION.where(IS_NEWEST, resource.c.id.in_(bindparam("ids", expanding=True)))
_REFERRING = _NEWEST.where(
    resource.c.id.in_(
        select(resource_reference.c.resource_id)
        .where(resource_reference.c.parameter == bindparam("of_parameter"))
        .where(resource_reference.c.target_id.in_(bindparam("of_targets", expanding=True)))
    )
).order_by(resource.c.id)
_IDENTIFIERS = (
    select(resource_identifier.c.system, resource_identifier.c.value)
    .where(resource_identifier.c.resource_id == bindparam("of_resource"))
    .where(resource_identifier.c.party_id == bindparam("of_party"))
)
_CARRYING = (
    select(resource_identifier.c.type, resource_identifier.c.resource_id)
    .where(resource_identifier.c.party_id == bindparam("of_party"))
    .where(tuple_(resource_identifier.c.system, resource_identifier.c.value).in_(bindparam("pairs", expanding=True)))
)


def lock_party(connection: Connection, party_id: str) -> None:
    """One writer of a party's resources at a time, until the transaction ends.

    Without it two transactions of PostgreSQL would both find an identifier free. SQLite has one writer anyway.
    """
    connection.execute(select(party.c.id).where(party.c.id == party_id).with_for_update(key_share=True))


def add(connection: Connection, new: StoredResource, content: bytes) -> None:
    """Insert version 1; `content` is the text of `new.content` as it will be read again."""
    row = {"id": new.id, "party_id": new.party_id, "type": new.type, "version": new.version}
    connection.execute(insert(resource).values(row | {"updated_at": new.stored_at}))
    _add_version(connection, new, content)


def replace(connection: Connection, new: StoredResource, content: bytes) -> None:
    """Add version `new.version` on top of the one before it. Raises Conflict when another one came in between."""
    is_before = and_(resource.c.id == new.id, resource.c.party_id == new.party_id)
    is_before = and_(is_before, resource.c.version == new.version - 1)
    moved = update(resource).where(is_before).values(version=new.version, updated_at=new.stored_at)
    if connection.execute(moved).rowcount != 1:
        raise Conflict(f"{new.type}/{new.id} was changed at the same time; read it again and repeat the update")
    _add_version(connection, new, content)


def set_identifiers(connection: Connection, of: StoredResource, identifiers: Iterable[Identifier]) -> None:
    """Make these its business identifiers, each unique among the party's resources of the type.

    Raises Conflict naming the resource that has one of them, Transient when another transaction is about to take one.
    """
    connection.execute(delete(resource_identifier).where(resource_identifier.c.resource_id == of.id))
    for identifier in dict.fromkeys(identifiers):
        holder = id_by_identifier(connection, of.party_id, of.type, identifier)
        if holder is not None:
            raise Conflict(f"{of.type}/{holder} has this identifier already; {_remedy(of.type, holder)}")
        row = {"resource_id": of.id, "party_id": of.party_id, "type": of.type}
        row |= {"system": identifier.system, "value": identifier.value}
        try:
            connection.execute(insert(resource_identifier).values(row))
        except IntegrityError:
            raise Transient(f"another {of.type} with the same identifier is being stored at this moment") from None


def _remedy(resource_type: str, holder: str) -> str:
    ended = ", for one that is taken back with status inactive" if resource_type == "Consent" else ""
    return f"update it (PUT {resource_type}/{holder} with its version in If-Match{ended}), or create with If-None-Exist"


def set_references(connection: Connection, resource_id: str, targets: Iterable[tuple[str, str]]) -> None:
    """Make these (parameter, target id) pairs its references."""
    connection.execute(delete(resource_reference).where(resource_reference.c.resource_id == resource_id))
    rows = [{"resource_id": resource_id, "parameter": name, "target_id": target} for name, target in sorted(targets)]
    if rows:
        connection.execute(insert(resource_reference), rows)


def current(connection: Connection, party_id: str, resource_type: str, resource_id: str) -> StoredResource:
    """The newest version. Raises NotFound."""
    return current_with_text(connection, party_id, resource_type, resource_id)[0]


def current_with_text(
    connection: Connection, party_id: str, resource_type: str, resource_id: str
) -> tuple[StoredResource, bytes]:
    """The newest version and its text, byte for byte as stored. Raises NotFound."""
    wanted = {"of_party": party_id, "of_type": resource_type, "of_resource": resource_id}
    row = connection.execute(_CURRENT, wanted).one_or_none()
    if row is None:
        raise _absent(connection, party_id, resource_type, resource_id)
    return stored(row), bytes(row.content)


def version(connection: Connection, party_id: str, resource_type: str, resource_id: str, number: int) -> StoredResource:
    """One version, also one that was replaced since. Raises NotFound."""
    return version_with_text(connection, party_id, resource_type, resource_id, number)[0]


def version_with_text(
    connection: Connection, party_id: str, resource_type: str, resource_id: str, number: int
) -> tuple[StoredResource, bytes]:
    """That version and its text, byte for byte as stored. Raises NotFound."""
    wanted = {"of_party": party_id, "of_type": resource_type, "of_resource": resource_id, "of_version": number}
    row = connection.execute(_VERSION, wanted).one_or_none()
    if row is None:
        raise _absent(connection, party_id, resource_type, resource_id, f"/_history/{number}")
    return stored(row), bytes(row.content)


def versions(
    connection: Connection, party_id: str, resource_type: str, resource_id: str, *, before: int, at_most: int
) -> list[StoredResource]:
    """Versions below `before`, newest first."""
    query = _VERSIONS.where(resource.c.id == resource_id, _one.version < before).order_by(_one.version.desc())
    rows = connection.execute(query.limit(at_most), {"of_party": party_id, "of_type": resource_type})
    return [stored(row) for row in rows]


def version_at(
    connection: Connection, party_id: str, resource_type: str, resource_id: str, at: datetime
) -> StoredResource | None:
    """The one that was the newest at that moment; None before the first."""
    wanted = {"of_party": party_id, "of_type": resource_type, "of_resource": resource_id, "at": at}
    row = connection.execute(_VERSION_AT, wanted).one_or_none()
    return None if row is None else stored(row)


def binary(connection: Connection, party_id: str, url: str) -> bytes:
    """What the party's Binary at the relative URL `Binary/id` holds. Raises NotFound, Unprocessable (no data)."""
    return binary_data(current(connection, party_id, "Binary", url.removeprefix("Binary/")).content)


def type_of(connection: Connection, party_id: str, resource_id: str) -> str | None:
    """The type of the party's resource of that id, or None; a destroyed one is none any more."""
    is_it = and_(resource.c.id == resource_id, resource.c.party_id == party_id, resource.c.destroyed_at.is_(None))
    return connection.execute(select(resource.c.type).where(is_it)).scalar()


def id_by_identifier(connection: Connection, party_id: str, resource_type: str, identifier: Identifier) -> str | None:
    """The logical id of the one resource that carries the identifier, or None."""
    is_it = and_(resource_identifier.c.party_id == party_id, resource_identifier.c.type == resource_type)
    is_it = and_(is_it, resource_identifier.c.system == identifier.system)
    is_it = and_(is_it, resource_identifier.c.value == identifier.value)
    return connection.execute(select(resource_identifier.c.resource_id).where(is_it)).scalar()


def identifiers(connection: Connection, party_id: str, resource_id: str) -> list[Identifier]:
    """The business identifiers of the current version; empty for an unknown resource."""
    rows = connection.execute(_IDENTIFIERS, {"of_resource": resource_id, "of_party": party_id})
    return sorted((Identifier(row.system, row.value) for row in rows), key=lambda one: (one.system, one.value))


def identifier_values(connection: Connection, resource_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Resource id -> the values of its identifiers, in order; without those that have none."""
    query = select(resource_identifier.c.resource_id, resource_identifier.c.value)
    query = query.where(resource_identifier.c.resource_id.in_(resource_ids)).order_by(resource_identifier.c.value)
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(query):
        found[row.resource_id] = (*found.get(row.resource_id, ()), row.value)
    return found


def carrying(connection: Connection, party_id: str, wanted: Collection[Identifier]) -> list[str]:
    """`Type/id` of every resource of the party that carries one of the identifiers."""
    pairs = [(one.system, one.value) for one in wanted]
    rows = connection.execute(_CARRYING, {"of_party": party_id, "pairs": pairs})
    return sorted({f"{row.type}/{row.resource_id}" for row in rows})


def targets(connection: Connection, resource_id: str, parameter: str) -> list[str]:
    """The ids to which the current version refers by that parameter."""
    is_it = and_(resource_reference.c.resource_id == resource_id, resource_reference.c.parameter == parameter)
    return sorted(connection.execute(select(resource_reference.c.target_id).where(is_it)).scalars())


def referring(
    connection: Connection, party_id: str, resource_type: str, target_id: str, *, parameter: str = "patient"
) -> list[StoredResource]:
    """Every resource of the type whose current version refers to `target_id` by the parameter, all of them."""
    return referring_to_any(connection, party_id, resource_type, [target_id], parameter=parameter)


def referring_to_any(
    connection: Connection, party_id: str, resource_type: str, target_ids: Collection[str], *, parameter: str
) -> list[StoredResource]:
    """The same for several targets, each resource once."""
    wanted: dict[str, object] = {"of_party": party_id, "of_type": resource_type, "of_parameter": parameter}
    rows = connection.execute(_REFERRING, wanted | {"of_targets": sorted(target_ids)})
    return [stored(row) for row in rows]


def count_referring(connection: Connection, target_id: str, parameter: str) -> int:
    """How many resources refer to it now by that parameter."""
    is_it = and_(resource_reference.c.target_id == target_id, resource_reference.c.parameter == parameter)
    return connection.execute(select(func.count()).select_from(resource_reference).where(is_it)).scalar_one()


def patients_around(connection: Connection, party_id: str, ids: Collection[str]) -> set[str]:
    """The Patients of the resources that are among `ids`, or refer to one of those."""
    near = select(resource_reference.c.resource_id).where(resource_reference.c.target_id.in_(sorted(ids)))
    of_near = resource_reference.c.resource_id.in_(near) | resource_reference.c.resource_id.in_(sorted(ids))
    query = select(resource_reference.c.target_id).join(resource, resource.c.id == resource_reference.c.target_id)
    query = query.where(of_near, resource_reference.c.parameter == "patient", resource.c.party_id == party_id)
    return set(connection.execute(query).scalars())


def owner_of(connection: Connection, resource_type: str, resource_id: str) -> str:
    """The id of the party whose it is. Raises NotFound, also for one whose content was destroyed."""
    is_it = and_(resource.c.id == resource_id, resource.c.type == resource_type, resource.c.destroyed_at.is_(None))
    owner = connection.execute(select(resource.c.party_id).where(is_it)).scalar()
    if owner is None:
        raise NotFound(f"no {resource_type}/{resource_id}")
    return str(owner)


def newest_versions(connection: Connection, party_id: str, wanted: Collection[str]) -> dict[tuple[str, str], int]:
    """(type, id) -> number of the newest version, of those of the ids that the party has. Each begins at version 1."""
    query = select(resource.c.type, resource.c.id, resource.c.version).where(resource.c.party_id == party_id)
    query = query.where(resource.c.destroyed_at.is_(None))
    ids = sorted(wanted)
    parts = [ids[start : start + _MOST_ASKED] for start in range(0, len(ids), _MOST_ASKED)]
    rows = [row for part in parts for row in connection.execute(query.where(resource.c.id.in_(part)))]
    return {(row.type, row.id): row.version for row in rows}


def pages(connection: Connection, resource_type: str, *, at_most: int) -> Iterator[list[StoredResource]]:
    """The newest version of everything of the type, of every party, in the order of ids."""
    query = EVERY_VERSION.where(IS_NEWEST, resource.c.type == resource_type).order_by(resource.c.id).limit(at_most)
    found = [stored(row) for row in connection.execute(query)]
    while found:
        yield found
        found = [stored(row) for row in connection.execute(query.where(resource.c.id > found[-1].id))]


def of_ids(connection: Connection, ids: Collection[str]) -> list[StoredResource]:
    """The newest version of each, by id. Whose they are was asked before, in the same transaction."""
    rows = connection.execute(_OF_IDS, {"ids": sorted(ids)})
    return sorted((stored(row) for row in rows), key=lambda one: one.id)


def of_party(connection: Connection, party_id: str, ids: Collection[str]) -> list[StoredResource]:
    """The newest version of each that the party has."""
    wanted = sorted(ids)
    parts = [wanted[start : start + _MOST_ASKED] for start in range(0, len(wanted), _MOST_ASKED)]
    rows = [row for part in parts for row in connection.execute(_OF_PARTY, {"of_party": party_id, "ids": part})]
    return [stored(row) for row in rows]


def stored(row: Row[Any]) -> StoredResource:
    """A row of one version as the domain has it."""
    author = row.client_id or ""
    parsed = read_own_json(bytes(row.content))
    return StoredResource(row.id, row.party_id, row.type, row.version, author, row.created_at, parsed)


def _absent(connection: Connection, party_id: str, resource_type: str, resource_id: str, version: str = "") -> NotFound:
    """Why there is none: its content was destroyed, or there never was one."""
    is_it = and_(resource.c.id == resource_id, resource.c.party_id == party_id, resource.c.type == resource_type)
    destroyed_at = connection.execute(select(resource.c.destroyed_at).where(is_it)).scalar()
    if destroyed_at is None:
        return NotFound(f"no {resource_type}/{resource_id}{version}")
    return Gone(f"the content of {resource_type}/{resource_id} was destroyed on {destroyed_at:%Y-%m-%d}")


def _add_version(connection: Connection, new: StoredResource, text: bytes) -> None:
    row = {"resource_id": new.id, "version": new.version, "content": text, "client_id": new.client_id}
    row |= {"sha256": hashlib.sha256(text).hexdigest(), "created_at": new.stored_at}
    connection.execute(insert(resource_version).values(row))
