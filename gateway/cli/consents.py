"""`consilium consent`: what the patient has agreed to."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_list
from gateway.services import consent_listing

_COLUMNS = {
    "id": "id",
    "version": "version",
    "status": "status",
    "effect": "says",
    "flow": "flow",
    "recipient": "recipient",
    "purpose": "purpose",
    "period": "period",
    "stored_at": "stored",
    "client_id": "from",
}


@click.group()
def consent() -> None:
    """Consents of the patients."""


@consent.command("list")
@click.option("--case", "case_id", metavar="ID", required=True, help="The case whose patient it is.")
@json_option
@pass_office
def list_consents(office: Office, case_id: str, is_json: bool) -> None:
    """The current version of each consent of the case's patient, a line for each of its rules."""
    print_list(consent_listing.consent_lines(office.core, case_id), _COLUMNS, is_json=is_json)
