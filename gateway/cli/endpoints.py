"""`consilium endpoint`: addresses of the parties, and the diagnosis of the way there."""

from dataclasses import dataclass, replace
from pathlib import Path

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import console, json_option, print_fields, print_json, print_list
from gateway.cli.parameters import DICOM_ADDRESS
from gateway.cli.parties import described, described_endpoint, existing_file
from gateway.domain.diagnosis import Step
from gateway.domain.errors import Permanent
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, FhirAddress
from gateway.services import registry
from gateway.services.registry import NewEndpoint, OwnedEndpoint


@dataclass(frozen=True)
class _Line:
    name: str
    role: str
    party: str
    address: str
    id: str


@click.group()
def endpoint() -> None:
    """Where clinics and reviewers are reached; changes take effect without a restart."""


@endpoint.command("add-dicom")
@click.argument("name")
@click.argument("address", type=DICOM_ADDRESS)
@click.option("--party", "party_name", required=True, help="The clinic (its PACS) or the reviewer (its node).")
@click.option("--tls", "is_tls", is_flag=True, help="The node speaks TLS.")
@click.option("--ca-file", type=existing_file(), help="With --tls: CAs (PEM) to trust beside those of the system.")
@json_option
@pass_office
def add_dicom(
    office: Office,
    name: str,
    address: DicomAddress,
    party_name: str,
    is_tls: bool,
    ca_file: Path | None,
    is_json: bool,
) -> None:
    """Register the DICOM node NAME at AE@HOST:PORT, or change where a registered one is."""
    role = registry.dicom_role(office.core.database, party_name)
    _add(
        office,
        party_name,
        NewEndpoint(name, role, dicom=replace(address, is_tls=is_tls, ca_file=str(ca_file or ""))),
        is_json=is_json,
    )


@endpoint.command("add-fhir")
@click.argument("name")
@click.argument("base_url")
@click.option("--party", "party_name", required=True, help="The clinic whose EHR it is.")
@click.option("--token-file", type=existing_file(), help="File with a fixed bearer token.")
@click.option("--token-url", default="", help="OAuth token URL, for the client-credentials grant.")
@click.option("--client-id", default="", help="Our client id there.")
@click.option("--client-secret-file", type=existing_file(), help="File with our client secret.")
@click.option("--ca-file", type=existing_file(), help="CAs (PEM) to trust beside those of the system.")
@click.option("--allow-plain-http", is_flag=True, help="Accept an http:// URL beyond this machine (not encrypted).")
@json_option
@pass_office
def add_fhir(
    office: Office,
    name: str,
    base_url: str,
    party_name: str,
    token_file: Path | None,
    token_url: str,
    client_id: str,
    client_secret_file: Path | None,
    ca_file: Path | None,
    allow_plain_http: bool,
    is_json: bool,
) -> None:
    """Register the FHIR server NAME at BASE_URL, or change where a registered one is."""
    address = FhirAddress(
        base_url,
        token_file=str(token_file or ""),
        token_url=token_url,
        client_id=client_id,
        client_secret_file=str(client_secret_file or ""),
        ca_file=str(ca_file or ""),
    )
    new = NewEndpoint(name, EndpointRole.EHR, fhir=address, is_plain_http_allowed=allow_plain_http)
    _add(office, party_name, new, is_json=is_json)


@endpoint.command("list")
@json_option
@pass_office
def list_endpoints(office: Office, is_json: bool) -> None:
    """All endpoints by name."""
    found = [_line(one) for one in registry.endpoints(office.core.database)]
    columns = {"name": "name", "role": "role", "party": "party", "address": "address", "id": "id"}
    print_list(found, columns, is_json=is_json)


@endpoint.command("show")
@click.argument("name")
@json_option
@pass_office
def show_endpoint(office: Office, name: str, is_json: bool) -> None:
    """One endpoint with everything but the contents of its secret files."""
    owned = registry.endpoint(office.core.database, name)
    found = owned.endpoint
    if is_json:
        print_json(found)
        return
    fields: dict[str, object] = {"endpoint": found.name, "id": found.id, "role": found.role, "party": owned.party_name}
    print_fields(fields | dict(vars(found.dicom or found.fhir)))


@endpoint.command("remove")
@click.argument("name")
@pass_office
def remove_endpoint(office: Office, name: str) -> None:
    """Remove an endpoint that nothing was received from or sent to."""
    core = office.core
    registry.remove_endpoint(core.database, name, actor=office.actor, now=core.now())
    click.echo(f"endpoint {name} removed")


@endpoint.command("test")
@click.argument("name")
@json_option
@pass_office
@click.pass_context
def test_endpoint(ctx: click.Context, office: Office, name: str, is_json: bool) -> None:
    """Walk the way to the endpoint step by step; a failed step says its remedy. Exit status 1 when one failed."""
    steps = _diagnosed(office, registry.endpoint(office.core.database, name).endpoint)
    if is_json:
        print_json({"endpoint": name, "is_ok": all(step.is_ok for step in steps), "steps": steps})
    else:
        print_steps(steps)
    ctx.exit(0 if all(step.is_ok for step in steps) else 1)


def print_steps(steps: list[Step]) -> None:
    """One line a step, and the remedy under it."""
    from rich.text import Text

    out = console()
    width = max((len(step.name) for step in steps), default=0)
    for step in steps:
        mark = Text("ok    ", "green") if step.is_ok else Text("FAILED", "bold red")
        out.print(Text.assemble(mark, f"  {step.name.ljust(width)}  {step.detail}"), soft_wrap=True)
        if step.remedy:
            out.print(Text(f"        {' ' * width}  -> {step.remedy}"), soft_wrap=True)


def _diagnosed(office: Office, found: Endpoint) -> list[Step]:
    if found.fhir:
        from workers.ehr.client import Wiring
        from workers.ehr.diagnose import diagnose as diagnose_fhir_server

        return diagnose_fhir_server(found.fhir, wiring=Wiring(office.core.now))
    if found.dicom is None:
        raise Permanent(f"endpoint {found.name} has no address; remove it and add it again")
    from dicom_node.scu import diagnose as diagnose_dicom_node

    return diagnose_dicom_node(found.dicom, office.settings.dicom.ae_title)


def _add(office: Office, party_name: str, new: NewEndpoint, *, is_json: bool) -> None:
    core = office.core
    added = registry.register_endpoint(
        core.database, party_name=party_name, new=new, actor=office.actor, now=core.now()
    )
    print_json(added) if is_json else click.echo(f"endpoint {described_endpoint(added)}")


def _line(owned: OwnedEndpoint) -> _Line:
    one = owned.endpoint
    address = one.dicom or one.fhir
    return _Line(one.name, one.role, owned.party_name, described(address) if address else "", one.id)
