"""Clinics, reviewers and their endpoints. Changes take effect at the next query, without a restart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, insert, select, union, update
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, FhirAddress, Identifier, Party, PartyKind
from gateway.store.tables import endpoint, party, party_identifier, party_organization

_ALL_PARTIES = (
    select(party, party_identifier.c.system, party_identifier.c.value)
    .outerjoin(party_identifier)
    .order_by(party.c.name, party_identifier.c.value)
)
"""By name, each with its identifiers, in one query."""

# Built once: these run for every sending.
_PARTY_BY_ID = _ALL_PARTIES.where(party.c.id == bindparam("of_party"))
_OWNER_OF_ENDPOINT = _ALL_PARTIES.join(endpoint, endpoint.c.party_id == party.c.id).where(
    endpoint.c.id == bindparam("of_endpoint")
)
_ORGANIZATIONS = (
    select(party_organization)
    .where(party_organization.c.party_id == bindparam("of_party"))
    .order_by(party_organization.c.system, party_organization.c.value)
)
_ENDPOINT_BY_ID = select(endpoint).where(endpoint.c.id == bindparam("of_endpoint"))
_JUST_TAKEN = "another endpoint has just been registered under that name or AE title; look at the list of endpoints"


def add_party(connection: Connection, new: Party, *, now: datetime) -> None:
    """Raises Conflict when the name or one of the identifiers is taken."""
    row = {"id": new.id, "kind": new.kind, "name": new.name, "country": new.country, "time_zone": new.time_zone}
    try:
        connection.execute(insert(party).values(row | {"created_at": now}))
        for identifier in new.identifiers:
            connection.execute(insert(party_identifier).values(party_id=new.id, **asdict(identifier)))
    except IntegrityError as exc:
        raise Conflict(f"the name {new.name!r} or one of its identifiers is registered already") from exc


def add_organizations(connection: Connection, party_id: str, new: Sequence[Identifier]) -> None:
    """For whom a reviewer works: consents that name one of these organisations reach them."""
    for one in dict.fromkeys(new):
        connection.execute(insert(party_organization).values(party_id=party_id, **asdict(one)))


def remove_organization(connection: Connection, party_id: str, former: Identifier) -> None:
    """The reviewer works there no more."""
    c = party_organization.c
    is_it = (c.party_id == party_id) & (c.system == former.system) & (c.value == former.value)
    connection.execute(party_organization.delete().where(is_it))


def organizations(connection: Connection, party_id: str) -> tuple[Identifier, ...]:
    """The identifiers of the organisations for which the party works."""
    rows = connection.execute(_ORGANIZATIONS, {"of_party": party_id})
    return tuple(Identifier(row.system, row.value) for row in rows)


def systems(connection: Connection) -> frozenset[str]:
    """Those of the identifiers by which any party, or an organisation that one works for, goes here."""
    used = union(select(party_identifier.c.system), select(party_organization.c.system))
    return frozenset(connection.execute(used).scalars())


def parties(connection: Connection, kind: PartyKind | None = None) -> list[Party]:
    """All of a kind, by name."""
    return _parties(connection, *(() if kind is None else (party.c.kind == kind,)))


def party_by_id(connection: Connection, party_id: str) -> Party:
    """Raises NotFound."""
    found = _read(connection, _PARTY_BY_ID, {"of_party": party_id})
    if not found:
        raise NotFound(f"no party {party_id}")
    return found[0]


def owner_of_endpoint(connection: Connection, endpoint_id: str) -> Party:
    """Whose endpoint it is. Raises NotFound."""
    found = _read(connection, _OWNER_OF_ENDPOINT, {"of_endpoint": endpoint_id})
    if not found:
        raise NotFound(f"no endpoint {endpoint_id}")
    return found[0]


def party_by_name(connection: Connection, name: str) -> Party:
    """Raises NotFound."""
    found = _parties(connection, party.c.name == name)
    if not found:
        raise NotFound(f"no clinic or reviewer named {name!r}")
    return found[0]


def party_by_identifier(connection: Connection, identifiers: Sequence[Identifier], kind: PartyKind) -> Party | None:
    """The one party of that kind that carries any of the identifiers; None when none or several do."""
    query = select(party.c.id).join(party_identifier).where(party.c.kind == kind)
    found: set[str] = set()
    for one in identifiers:
        is_it = (party_identifier.c.system == one.system) & (party_identifier.c.value == one.value)
        found.update(connection.execute(query.where(is_it)).scalars())
    return party_by_id(connection, found.pop()) if len(found) == 1 else None


def set_restored(connection: Connection, now: datetime) -> None:
    """All clinics come from a backup."""
    connection.execute(update(party).where(party.c.kind == PartyKind.CLINIC).values(restored_at=now))


def set_resumed(connection: Connection, party_id: str) -> None:
    """What the clinic sent since the backup is known."""
    connection.execute(update(party).where(party.c.id == party_id).values(restored_at=None))


def add_endpoint(connection: Connection, new: Endpoint, *, now: datetime) -> None:
    """Raises Conflict when the name or the AE title is another's."""
    row: dict[str, object] = {"id": new.id, "party_id": new.party_id, "name": new.name, "role": new.role}
    _require_free(connection, new)
    try:
        connection.execute(insert(endpoint).values(row | _address(new) | {"created_at": now}))
    except IntegrityError as exc:
        raise Conflict(_JUST_TAKEN) from exc


def change_address(connection: Connection, changed: Endpoint) -> None:
    """The endpoint of that id is reached there from now on. Raises Conflict when the AE title is another's."""
    _require_free(connection, changed)
    try:
        connection.execute(update(endpoint).where(endpoint.c.id == changed.id).values(_address(changed)))
    except IntegrityError as exc:
        raise Conflict(_JUST_TAKEN) from exc


def remove_endpoint(connection: Connection, name: str) -> None:
    """Raises NotFound, and Conflict when deliveries or studies refer to it."""
    found = endpoint_by_name(connection, name)
    try:
        connection.execute(endpoint.delete().where(endpoint.c.id == found.id))
    except IntegrityError as exc:
        raise Conflict(f"endpoint {name!r} has studies or deliveries; it cannot be removed") from exc


def endpoints(
    connection: Connection, *, party_id: str | None = None, role: EndpointRole | None = None
) -> list[Endpoint]:
    """By name, optionally of one party or role."""
    query = select(endpoint).order_by(endpoint.c.name)
    if party_id is not None:
        query = query.where(endpoint.c.party_id == party_id)
    if role is not None:
        query = query.where(endpoint.c.role == role)
    return [_endpoint(row) for row in connection.execute(query)]


def endpoint_by_name(connection: Connection, name: str) -> Endpoint:
    """Raises NotFound."""
    row = connection.execute(select(endpoint).where(endpoint.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"no endpoint named {name!r}")
    return _endpoint(row)


def endpoint_by_id(connection: Connection, endpoint_id: str) -> Endpoint:
    """Raises NotFound."""
    row = connection.execute(_ENDPOINT_BY_ID, {"of_endpoint": endpoint_id}).one_or_none()
    if row is None:
        raise NotFound(f"no endpoint {endpoint_id}")
    return _endpoint(row)


def pacs_by_ae_title(connection: Connection, ae_title: str) -> Endpoint | None:
    """The clinic's PACS that calls itself so (PS3.8 9.3.2: leading and trailing spaces do not count)."""
    is_it = (endpoint.c.ae_title == ae_title.strip()) & (endpoint.c.role == EndpointRole.PACS)
    row = connection.execute(select(endpoint).where(is_it)).one_or_none()
    return None if row is None else _endpoint(row)


def _parties(connection: Connection, *conditions: ColumnElement[bool]) -> list[Party]:
    return _read(connection, _ALL_PARTIES.where(*conditions), {})


def _read(connection: Connection, query: Select[Any], parameters: Mapping[str, str]) -> list[Party]:
    rows = connection.execute(query, parameters)
    return [_party(list(of_one)) for _, of_one in groupby(rows, key=lambda row: row.id)]


def _party(rows: Sequence[Row[Any]]) -> Party:
    identifiers = tuple(Identifier(row.system, row.value) for row in rows if row.system is not None)
    one = rows[0]
    return Party(one.id, PartyKind(one.kind), one.name, identifiers, one.country, one.time_zone, one.restored_at)


def _require_free(connection: Connection, new: Endpoint) -> None:
    """Raise a Conflict that says who has the endpoint's name or AE title, and what to do."""
    title = new.dicom.ae_title if new.dicom else None
    others = select(endpoint.c.name, party.c.name.label("owner")).join(party).where(endpoint.c.id != new.id)
    named = connection.execute(others.where(endpoint.c.name == new.name)).one_or_none()
    if named is not None:
        raise Conflict(f"{named.owner} has an endpoint named {new.name} already; choose another name")
    titled = connection.execute(others.where(endpoint.c.ae_title == title)).one_or_none() if title else None
    if titled is not None:
        raise Conflict(
            f"AE title {title} is registered to {titled.owner} (endpoint {titled.name}), and nodes are told apart by "
            "it; have one of the two nodes renamed, or remove that endpoint first"
        )


def _address(one: Endpoint) -> dict[str, object]:
    fields = asdict(one.dicom) if one.dicom else asdict(one.fhir) if one.fhir else {}
    # Without what is empty: a version that does not know a field yet can still read the others.
    address = {name: value for name, value in fields.items() if value != ""}
    return {"address": address, "ae_title": one.dicom.ae_title if one.dicom else None}


def _endpoint(row: Row[Any]) -> Endpoint:
    role = EndpointRole(row.role)
    is_fhir = role is EndpointRole.EHR
    dicom = None if is_fhir else DicomAddress(**row.address)
    fhir = FhirAddress(**row.address) if is_fhir else None
    return Endpoint(row.id, row.name, row.party_id, role, dicom, fhir)
