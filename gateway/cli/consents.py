"""`consilium consent`: what the patient has agreed to."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_list
from gateway.services import listing


@click.group()
def consent() -> None:
    """Consents of the patients."""


@consent.command("list")
@click.option("--case", "case_id", metavar="ID", required=True, help="The case whose patient it is.")
@json_option
@pass_office
def list_consents(office: Office, case_id: str, is_json: bool) -> None:
    """The current version of each consent of the case's patient."""
    columns = {"id": "id", "version": "version", "status": "status", "stored_at": "stored", "client_id": "from"}
    print_list(listing.consent_lines(office.core, case_id), columns, is_json=is_json)
