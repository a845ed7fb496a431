"""Clinics, reviewers, and the endpoints that belong to them. Every change is checked, and leaves an audit row."""

import zoneinfo
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from sqlalchemy import Connection

from gateway.domain.addresses import (
    check_ae_title,
    check_country,
    check_host,
    check_identifier_system,
    check_name,
    check_port,
    check_url,
)
from gateway.domain.breaker import CLOSED
from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.identifier_text import REMEDY, is_exact
from gateway.domain.ids import new_id
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, FhirAddress, Identifier, Party, PartyKind
from gateway.domain.work import JobKind
from gateway.services.listing.names import party_names
from gateway.services.second_look import look_again
from gateway.store import audit, breakers, cases, outbox, parties, reports
from gateway.store.engine import Database

SEVERAL = frozenset({EndpointRole.PACS})
"""Roles that a party may fill more than once: each study knows the PACS that it came from."""


@dataclass(frozen=True)
class NewEndpoint:
    """An endpoint to register: exactly one of `dicom` and `fhir` is set."""

    name: str
    role: EndpointRole
    dicom: DicomAddress | None = None
    fhir: FhirAddress | None = None
    is_plain_http_allowed: bool = False


@dataclass(frozen=True)
class Registration:
    """A party with its endpoints, by name, and the organisations for which a reviewer works."""

    party: Party
    endpoints: tuple[Endpoint, ...]
    works_for: tuple[Identifier, ...] = ()


@dataclass(frozen=True)
class OwnedEndpoint:
    """An endpoint, and the name of the party whose it is."""

    endpoint: Endpoint
    party_name: str


def register_party(
    database: Database,
    *,
    kind: PartyKind,
    name: str,
    identifiers: Sequence[Identifier],
    country: str,
    time_zone: str,
    endpoints: Sequence[NewEndpoint],
    works_for: Sequence[Identifier] = (),
    actor: str,
    now: datetime,
) -> Registration:
    """Add a clinic or a reviewer with its endpoints, all or nothing.

    A reviewer may work for organisations (`works_for`): a consent that names one of them reaches the reviewer.

    Raises:
        Invalid: a field breaks its rule; `at` names it.
        Conflict: the name, an identifier, an endpoint name or an AE title is taken.
    """
    party = Party(new_id(), kind, check_name(name), _checked(identifiers), check_country(country), time_zone)
    _check_time_zone(time_zone)
    checked = [_checked_endpoint(new, party) for new in endpoints]
    organizations = tuple(map(checked_identifier, works_for))
    if organizations and kind is not PartyKind.REVIEWER:
        raise Invalid("a clinic works for nobody; a consent names the clinic itself", at="works for")
    with database.write("registry.party") as connection:
        parties.add_party(connection, party, now=now)
        parties.add_organizations(connection, party.id, organizations)
        audit.record(connection, at=now, actor=actor, action=f"{kind}.add", subject=f"party/{party.id}")
        for endpoint in checked:
            _add(connection, endpoint, actor=actor, now=now)
    return Registration(party, tuple(sorted(checked, key=lambda each: each.name)), organizations)


def register_endpoint(database: Database, *, party_name: str, new: NewEndpoint, actor: str, now: datetime) -> Endpoint:
    """Add an endpoint to a party, or give the one of that name its new address.

    Raises NotFound (the party), Invalid, Conflict (name, AE title or role taken).
    """
    with database.write("registry.endpoint") as connection:
        party = parties.party_by_name(connection, party_name)
        endpoint = _checked_endpoint(new, party)
        present = parties.endpoints(connection, party_id=party.id, role=new.role)
        same = next((one for one in present if one.name == new.name), None)
        if same is None:
            if present and new.role not in SEVERAL:
                raise Conflict(f"{party.name} has its {new.role} already; give {present[0].name} the new address")
            _add(connection, endpoint, actor=actor, now=now)
            return endpoint
        moved = replace(endpoint, id=same.id)
        parties.change_address(connection, moved)
        breakers.lock(connection, moved.id)
        breakers.keep(connection, moved.id, CLOSED)  # what failed at the old address says nothing of the new one
        details = {"from": _address(same), "to": _address(moved)}
        subject = f"endpoint/{moved.id}"
        audit.record(connection, at=now, actor=actor, action="endpoint.change", subject=subject, details=details)
        return moved


def remove_endpoint(database: Database, name: str, *, actor: str, now: datetime) -> None:
    """Raises NotFound, and Conflict when studies or deliveries refer to it."""
    with database.write("registry.endpoint") as connection:
        endpoint = parties.endpoint_by_name(connection, name)
        parties.remove_endpoint(connection, name)
        audit.record(connection, at=now, actor=actor, action="endpoint.remove", subject=f"endpoint/{endpoint.id}")


def registration(database: Database, name: str, kind: PartyKind) -> Registration:
    """The party of that name and kind. Raises NotFound."""
    with database.read() as connection:
        party = parties.party_by_name(connection, name)
        if party.kind is not kind:
            raise NotFound(f"no {kind} named {name!r}")
        return _registration(connection, party)


def registrations(database: Database, kind: PartyKind) -> list[Registration]:
    """All of a kind, by name."""
    with database.read() as connection:
        found = parties.parties(connection, kind)
        return [_registration(connection, party) for party in found]


def endpoint(database: Database, name: str) -> OwnedEndpoint:
    """Raises NotFound."""
    with database.read() as connection:
        found = parties.endpoint_by_name(connection, name)
        return OwnedEndpoint(found, parties.party_by_id(connection, found.party_id).name)


def endpoints(database: Database) -> list[OwnedEndpoint]:
    """All of them, by name."""
    with database.read() as connection:
        names = party_names(connection)
        return [OwnedEndpoint(one, names[one.party_id]) for one in parties.endpoints(connection)]


def dicom_role(database: Database, party_name: str) -> EndpointRole:
    """What a DICOM node is to that party. Raises NotFound."""
    with database.read() as connection:
        kind = parties.party_by_name(connection, party_name).kind
    return EndpointRole.PACS if kind is PartyKind.CLINIC else EndpointRole.REVIEWER_NODE


def _registration(connection: Connection, party: Party) -> Registration:
    endpoints = tuple(parties.endpoints(connection, party_id=party.id))
    return Registration(party, endpoints, parties.organizations(connection, party.id))


def _add(connection: Connection, endpoint: Endpoint, *, actor: str, now: datetime) -> None:
    parties.add_endpoint(connection, endpoint, now=now)
    audit.record(
        connection,
        at=now,
        actor=actor,
        action="endpoint.add",
        subject=f"endpoint/{endpoint.id}",
        details={"name": endpoint.name, "role": endpoint.role, "party": endpoint.party_id},
    )
    for case in cases.open_of_party(connection, endpoint.party_id):
        look_again(connection, case, now=now)
    for version in reports.without_delivery(connection, clinic_id=endpoint.party_id):  # their orders may have ended
        outbox.enqueue(connection, JobKind.REPORT_RENDER, version.id, case_id=version.case_id, now=now)


def _address(of: Endpoint) -> str:
    """`AE@HOST:PORT` or a base URL."""
    if of.dicom is not None:
        return f"{of.dicom.ae_title}@{of.dicom.host}:{of.dicom.port}{' by TLS' if of.dicom.is_tls else ''}"
    return of.fhir.base_url if of.fhir is not None else ""


def _checked_endpoint(new: NewEndpoint, party: Party) -> Endpoint:
    check_name(new.name)
    _check_role(new, party)
    dicom = _checked_dicom(new.dicom) if new.dicom else None
    fhir = _checked_fhir(new.fhir, is_plain_http_allowed=new.is_plain_http_allowed) if new.fhir else None
    return Endpoint(new_id(), new.name, party.id, new.role, dicom, fhir)


def _check_role(new: NewEndpoint, party: Party) -> None:
    is_reviewers = new.role is EndpointRole.REVIEWER_NODE
    if is_reviewers != (party.kind is PartyKind.REVIEWER):
        raise Invalid(f"a {party.kind} cannot have an endpoint of role {new.role}", at="role")
    is_fhir = new.role is EndpointRole.EHR
    if (new.fhir is not None) != is_fhir or (new.dicom is not None) == is_fhir:
        raise Invalid(f"an endpoint of role {new.role} needs a {'FHIR' if is_fhir else 'DICOM'} address", at="role")


def _checked_dicom(address: DicomAddress) -> DicomAddress:
    title = check_ae_title(address.ae_title)
    if address.ca_file and not address.is_tls:
        raise Invalid("a CA file goes with TLS", at="ca_file")
    return replace(address, ae_title=title, host=check_host(address.host), port=check_port(address.port))


def _checked_fhir(address: FhirAddress, *, is_plain_http_allowed: bool) -> FhirAddress:
    base_url = check_url(address.base_url, is_plain_http_allowed=is_plain_http_allowed)
    by_grant = (address.token_url, address.client_id, address.client_secret_file)
    if any(by_grant) and not all(by_grant):
        raise Invalid("a token URL, a client id and a client secret file belong together", at="token")
    if any(by_grant) and address.token_file:
        raise Invalid("either a token file or the client-credentials grant, not both", at="token")
    if not address.token_url:
        return replace(address, base_url=base_url)
    token_url = check_url(address.token_url, is_plain_http_allowed=is_plain_http_allowed)
    return replace(address, base_url=base_url, token_url=token_url)


def _checked(identifiers: Sequence[Identifier]) -> tuple[Identifier, ...]:
    if not identifiers:
        raise Invalid("at least one identifier is needed: consents name their recipient by it", at="identifier")
    return tuple(map(checked_identifier, identifiers))


def checked_identifier(identifier: Identifier) -> Identifier:
    """The same, if it can be one. Raises Invalid."""
    check_identifier_system(identifier.system)
    for name, text in (("system", identifier.system), ("value", identifier.value)):
        if not is_exact(text):
            raise Invalid(f"an identifier has a system and a value; {REMEDY}", at=f"identifier.{name}")
    return identifier


@cache
def _time_zones() -> Set[str]:
    """A walk through the folders of the database; it stays as it is until the next start."""
    return zoneinfo.available_timezones() - {"Factory", "localtime"}


def _check_time_zone(name: str) -> None:
    if name not in _time_zones():
        raise Invalid("a time zone is an IANA name such as Europe/Istanbul", at="time zone")
