"""`consilium clinic` and `consilium reviewer`: who the gateway exchanges with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_fields, print_json, print_list, readable
from gateway.cli.parameters import DICOM_ADDRESS, IDENTIFIER
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, FhirAddress, Identifier, PartyKind
from gateway.services import registry
from gateway.services.registry import NewEndpoint, Registration

_COLUMNS = {"name": "name", "id": "id", "country": "country", "time_zone": "time zone", "endpoints": "endpoints"}


def existing_file() -> click.Path:
    """A file that has to be there; the database keeps its absolute path."""
    return click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)


def described(address: DicomAddress | FhirAddress) -> str:
    """An address in one word, without what is secret."""
    if isinstance(address, FhirAddress):
        return address.base_url
    return f"{address.ae_title}@{address.host}:{address.port}{' (TLS)' if address.is_tls else ''}"


def described_endpoint(endpoint: Endpoint) -> str:
    """`name (role) address`."""
    address = endpoint.dicom or endpoint.fhir
    return f"{endpoint.name} ({endpoint.role}) {described(address) if address else ''}"


@click.group()
def clinic() -> None:
    """Clinics that order opinions: their PACS, their EHR."""


@click.group()
def reviewer() -> None:
    """Reviewers, and the DICOM node their cases are sent to."""


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--time-zone", required=True, help="IANA name, such as Europe/Istanbul."),
        click.option("--country", required=True, help="ISO 3166-1, two letters, such as TR."),
        click.option(
            "--identifier",
            "identifiers",
            type=IDENTIFIER,
            multiple=True,
            required=True,
            help="What consents and orders call it; may be given several times.",
        ),
        click.option("--tls", "is_tls", is_flag=True, help="The DICOM node speaks TLS."),
    ):
        command = option(command)
    return command


@clinic.command("add")
@click.argument("name")
@_shared_options
@click.option("--pacs", type=DICOM_ADDRESS, help="The clinic's PACS; becomes endpoint NAME-pacs.")
@click.option("--ehr", "base_url", help="FHIR base URL of the clinic's EHR; becomes endpoint NAME-ehr.")
@click.option("--ehr-token-file", type=existing_file(), help="File with a fixed bearer token for the EHR.")
@click.option("--allow-plain-http", is_flag=True, help="Accept an http:// URL beyond this machine (not encrypted).")
@json_option
@pass_office
def add_clinic(
    office: Office,
    name: str,
    identifiers: Sequence[Identifier],
    country: str,
    time_zone: str,
    is_tls: bool,
    pacs: DicomAddress | None,
    base_url: str | None,
    ehr_token_file: Path | None,
    allow_plain_http: bool,
    is_json: bool,
) -> None:
    """Register the clinic NAME with its PACS and its EHR."""
    if ehr_token_file and not base_url:
        raise click.UsageError("--ehr-token-file goes with --ehr")
    endpoints = []
    if pacs:
        endpoints.append(NewEndpoint(f"{name}-pacs", EndpointRole.PACS, dicom=replace(pacs, is_tls=is_tls)))
    if base_url:
        address = FhirAddress(base_url, token_file=str(ehr_token_file or ""))
        ehr = NewEndpoint(f"{name}-ehr", EndpointRole.EHR, fhir=address, is_plain_http_allowed=allow_plain_http)
        endpoints.append(ehr)
    who = _Party(PartyKind.CLINIC, name, identifiers, country, time_zone)
    _show(_register(office, who, endpoints), is_json=is_json)


@reviewer.command("add")
@click.argument("name")
@_shared_options
@click.option("--node", type=DICOM_ADDRESS, help="The reviewer's DICOM node; becomes endpoint NAME-node.")
@click.option(
    "--works-for",
    type=IDENTIFIER,
    multiple=True,
    help="An organisation in which the reviewer works: a consent that names it reaches them; may be repeated.",
)
@json_option
@pass_office
def add_reviewer(
    office: Office,
    name: str,
    identifiers: Sequence[Identifier],
    country: str,
    time_zone: str,
    is_tls: bool,
    node: DicomAddress | None,
    works_for: Sequence[Identifier],
    is_json: bool,
) -> None:
    """Register the reviewer NAME with the node its cases are sent to."""
    endpoints = []
    if node:
        endpoints.append(NewEndpoint(f"{name}-node", EndpointRole.REVIEWER_NODE, dicom=replace(node, is_tls=is_tls)))
    who = _Party(PartyKind.REVIEWER, name, identifiers, country, time_zone, works_for)
    _show(_register(office, who, endpoints), is_json=is_json)


@reviewer.group()
def organization() -> None:
    """The organisations for which a reviewer works: a consent that names one reaches them."""


@organization.command("add")
@click.argument("name")
@click.argument("identifier", type=IDENTIFIER)
@pass_office
def add_organization(office: Office, name: str, identifier: Identifier) -> None:
    """The reviewer NAME works there from now on; what waited for it is decided anew at once."""
    from gateway.services import employment

    employment.add(office.core, name, identifier, actor=office.actor)
    click.echo(f"reviewer {name} works for {identifier.system}|{identifier.value}")


@organization.command("remove")
@click.argument("name")
@click.argument("identifier", type=IDENTIFIER)
@pass_office
def remove_organization(office: Office, name: str, identifier: Identifier) -> None:
    """The reviewer NAME works there no more: what is pending stops at once. What has left is not recalled."""
    from gateway.services import employment

    employment.remove(office.core, name, identifier, actor=office.actor)
    click.echo(f"reviewer {name} works no more for {identifier.system}|{identifier.value}")


@dataclass(frozen=True)
class _Party:
    kind: PartyKind
    name: str
    identifiers: Sequence[Identifier]
    country: str
    time_zone: str
    works_for: Sequence[Identifier] = ()


@dataclass(frozen=True)
class _Line:
    name: str
    id: str
    country: str
    time_zone: str
    endpoints: tuple[str, ...]


def _register(office: Office, who: _Party, endpoints: Sequence[NewEndpoint]) -> Registration:
    core = office.core
    return registry.register_party(
        core.database,
        kind=who.kind,
        name=who.name,
        identifiers=who.identifiers,
        country=who.country,
        time_zone=who.time_zone,
        endpoints=endpoints,
        works_for=who.works_for,
        actor=office.actor,
        now=core.now(),
    )


def _add_reading_commands(group: click.Group, kind: PartyKind) -> None:
    @group.command("list", help=f"All {kind}s by name.")
    @json_option
    @pass_office
    def _list(office: Office, is_json: bool) -> None:
        found = registry.registrations(office.core.database, kind)
        print_json(found) if is_json else print_list([_line(one) for one in found], _COLUMNS, is_json=False)

    @group.command("show", help=f"One {kind} with its identifiers and endpoints.")
    @click.argument("name")
    @json_option
    @pass_office
    def _show_one(office: Office, name: str, is_json: bool) -> None:
        _show(registry.registration(office.core.database, name, kind), is_json=is_json)


_add_reading_commands(clinic, PartyKind.CLINIC)
_add_reading_commands(reviewer, PartyKind.REVIEWER)


def _line(one: Registration) -> _Line:
    names = tuple(endpoint.name for endpoint in one.endpoints)
    return _Line(one.party.name, one.party.id, one.party.country, one.party.time_zone, names)


def _show(one: Registration, *, is_json: bool) -> None:
    if is_json:
        print_json(one)
        return
    party = one.party
    print_fields(
        {
            str(party.kind): party.name,
            "id": party.id,
            "identifiers": readable([f"{each.system}|{each.value}" for each in party.identifiers]),
            **_employers(one),
            "country": party.country,
            "time zone": party.time_zone,
        }
    )
    for endpoint in one.endpoints:
        click.echo(f"endpoint  {described_endpoint(endpoint)}")


def _employers(one: Registration) -> dict[str, str]:
    named = [f"{each.system}|{each.value}" for each in one.works_for]
    return {"works for": readable(named)} if named else {}
