"""`consilium consent`: what the patient has agreed to."""

from typing import TYPE_CHECKING

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_json, print_list
from gateway.cli.parameters import REASON, reason_option
from gateway.services import consent_listing
from gateway.services.listing.authorities import authority_lines
from gateway.services.looking import record_look

if TYPE_CHECKING:
    from gateway.domain.consent.explanation import Explanation

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
_AUTHORITY_COLUMNS = {
    "consent_id": "consent",
    "holds": "holds",
    "basis": "basis",
    "valid_until": "ends before",
    "recorded_by": "by",
    "recorded_at": "recorded",
    "withdrawn_by": "withdrawn by",
    "withdrawn_at": "at",
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
    found = consent_listing.consent_lines(office.core, case_id)
    record_look(office.core, "consent.list", actor=office.actor, case_id=case_id)
    print_list(found, _COLUMNS, is_json=is_json)


@consent.command("explain")
@click.option("--case", "case_id", metavar="ID", required=True, help="The case.")
@click.option("--to", "endpoint", metavar="ENDPOINT", required=True, help="Where it would go.")
@click.option("--at", "moment", metavar="TIME", default="", help="A FHIR date or dateTime; else now.")
@json_option
@pass_office
def explain(office: Office, case_id: str, endpoint: str, moment: str, is_json: bool) -> None:
    """What is decided on sending the case there, and the way to it, provision by provision. Nothing is sent.

    Of another moment it tells what the consents that are on file now say.
    """
    from gateway.services.explaining import explain_to_person

    found = explain_to_person(office.core, case_id, endpoint, moment=moment, actor=office.actor)
    if is_json:
        print_json(found)
        return
    click.echo(f"To {found.recipient} ({found.flow}): {found.answer}")
    for one in found.things:
        _print_explanation(one)


def _print_explanation(told: "Explanation") -> None:
    click.echo(f"\n{told.about}\n{told.question}\n{told.answer}")
    for reason in told.reasons:
        click.echo(f"  {reason}")
    for one in told.passages:
        click.echo(f"\n  {one.consent}, {one.path}")
        for sentence in filter(None, (one.says, one.finding)):
            click.echo(f"    {sentence}")


@consent.command("revoke")
@click.argument("consent_id", metavar="ID")
@reason_option
@pass_office
def revoke(office: Office, consent_id: str, reason: str) -> None:
    """The patient took it back by a letter or in person: stop what is pending, and recall what has left."""
    from gateway.services import revoking

    version = revoking.revoke(office.core, consent_id, reason=reason, actor=office.actor)
    click.echo(f"consent {consent_id} is inactive as of version {version}")


@consent.group("authority")
def authority() -> None:
    """That a representative may consent for the patient."""


@authority.command("record")
@click.argument("consent_id", metavar="ID")
@click.option(
    "--basis",
    required=True,
    type=REASON,
    help="What it stands on: an order of a court, a law. Kept in the audit trail and exported as typed: name nobody.",
)
@click.option("--until", "last", metavar="DATE", default="", help="Its last day, in the clinic's time zone.")
@pass_office
def record_authority(office: Office, consent_id: str, basis: str, last: str) -> None:
    """You have checked that whom the consent names as its performer may give it."""
    from gateway.services import representation

    representation.record(office.core, consent_id, basis=basis, last=last, actor=office.actor)
    click.echo(f"the authority for consent {consent_id} is recorded")


@authority.command("list")
@click.option("--case", "case_id", metavar="ID", required=True, help="The case whose patient it is.")
@json_option
@pass_office
def list_authorities(office: Office, case_id: str, is_json: bool) -> None:
    """What is on record of representatives for the consents of the case's patient, also what is over."""
    found = authority_lines(office.core, case_id)
    record_look(office.core, "authority.list", actor=office.actor, case_id=case_id)
    print_list(found, _AUTHORITY_COLUMNS, is_json=is_json)


@authority.command("withdraw")
@click.argument("consent_id", metavar="ID")
@pass_office
def withdraw_authority(office: Office, consent_id: str) -> None:
    """It does not hold: stop what is pending, and recall what has left."""
    from gateway.services import representation

    representation.withdraw(office.core, consent_id, actor=office.actor)
    click.echo(f"the authority for consent {consent_id} is withdrawn")
