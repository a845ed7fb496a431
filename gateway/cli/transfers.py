"""`consilium transfer`: on what a clinic's data may go to a recipient in another country."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_page
from gateway.domain.consent.transfer import TransferKind
from gateway.services.listing.transfers import transfer_lines

_COLUMNS = {
    "id": "id",
    "clinic": "from",
    "recipient": "to",
    "kind": "kind",
    "reference": "reference",
    "valid_from": "begins",
    "valid_until": "ends before",
    "added_by": "by",
    "ended_by": "ended by",
    "ended_at": "at",
}


@click.group()
def transfer() -> None:
    """On what a clinic's data may go to a recipient in another country."""


@transfer.command("add")
@click.option("--clinic", required=True, help="Whose data it is about.")
@click.option("--to", "recipient", metavar="PARTY", required=True, help="The reviewer who receives them.")
@click.option("--kind", type=click.Choice([str(kind) for kind in TransferKind]), required=True, help="What it is.")
@click.option("--reference", required=True, help="Where a person finds it: a number, a date, a form.")
@click.option("--from", "first", metavar="DATE", default="", help="Its first day, in the clinic's time zone.")
@click.option("--until", "last", metavar="DATE", default="", help="Its last day.")
@pass_office
def add_transfer(office: Office, clinic: str, recipient: str, kind: str, reference: str, first: str, last: str) -> None:
    """Record an instrument; what waited for it is decided anew at once."""
    from gateway.services import transferring

    new = transferring.NewTransfer(clinic, recipient, TransferKind(kind), reference, first, last)
    click.echo(f"transfer instrument {transferring.add(office.core, new, actor=office.actor)} is on record")


@transfer.command("list")
@limit_option
@json_option
@pass_office
def list_transfers(office: Office, limit: int, is_json: bool) -> None:
    """The instruments on record, the newest first, also those that are over."""
    print_page(transfer_lines(office.core, limit=limit + 1), _COLUMNS, limit=limit, is_json=is_json)


@transfer.command("end")
@click.argument("record_id", metavar="ID")
@pass_office
def end_transfer(office: Office, record_id: str) -> None:
    """Nothing stands on it any more: what is pending stops at once. What has left is not recalled."""
    from gateway.services import transferring

    transferring.end(office.core, record_id, actor=office.actor)
    click.echo(f"transfer instrument {record_id} is ended")
