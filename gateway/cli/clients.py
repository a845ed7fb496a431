"""`consilium client`: the OAuth clients of clinics and reviewers."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_fields, print_json, print_list
from gateway.services import clients, listing


@click.group()
def client() -> None:
    """Programs that may call /fhir on behalf of a clinic or a reviewer."""


@client.command("add")
@click.argument("party_name", metavar="PARTY")
@click.option("--id", "client_id", help="The client id; otherwise one is made.")
@json_option
@pass_office
def add_client(office: Office, party_name: str, client_id: str | None, is_json: bool) -> None:
    """Register a client of PARTY. Its secret is printed now and can never be shown again."""
    new = clients.add_client(office.core, party_name, client_id, actor=office.actor)
    shown: dict[str, object] = {"client_id": new.client_id, "client_secret": new.secret, "party": new.party_name}
    print_json(shown) if is_json else print_fields(shown)


@client.command("list")
@json_option
@pass_office
def list_clients(office: Office, is_json: bool) -> None:
    """All clients, the revoked ones too."""
    columns = {"id": "id", "party": "party", "created_at": "created", "revoked_at": "revoked"}
    print_list(listing.client_lines(office.core), columns, is_json=is_json)


@client.command("revoke")
@click.argument("client_id")
@pass_office
def revoke_client(office: Office, client_id: str) -> None:
    """Its secret and its tokens are worth nothing from now on."""
    clients.revoke_client(office.core, client_id, actor=office.actor)
    click.echo(f"client {client_id} revoked")
