"""`consilium quarantine`: what a person has to look at."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_fields, print_json, print_page, readable
from gateway.services import listing
from gateway.services import quarantine as resolution


@click.group()
def quarantine() -> None:
    """Studies and objects that wait for a person."""


@quarantine.command("list")
@click.option("--all", "is_all", is_flag=True, help="Those resolved already, too.")
@limit_option
@json_option
@pass_office
def list_quarantine(office: Office, is_all: bool, limit: int, is_json: bool) -> None:
    """What waits, the oldest first."""
    columns = {"id": "id", "kind": "kind", "case_id": "case", "study_id": "study", "reason": "reason"}
    columns |= {"created_at": "since", "resolution": "resolution"}
    found = listing.quarantine_lines(office.core, is_open=not is_all, limit=limit + 1)
    print_page(found, columns, limit=limit, is_json=is_json)


@quarantine.command("show")
@click.argument("quarantine_id", metavar="ID")
@json_option
@pass_office
def show_quarantine(office: Office, quarantine_id: str, is_json: bool) -> None:
    """One entry with both values. This shows patient data, and the audit trail says to whom."""
    entry = listing.quarantine_entry(office.core, quarantine_id, actor=office.actor)
    if is_json:
        print_json(entry)
        return
    fields = {"entry": entry.id, "kind": entry.kind, "reason": entry.reason, "study": entry.study_id}
    fields |= {"case": entry.case_id, "since": readable(entry.created_at), "resolution": entry.resolution}
    print_fields(fields)
    details = dict(entry.details)
    for field, in_header, in_order in details.pop("differences", []):
        click.echo(f"{field}: {in_header!r} in the images, {in_order!r} in the order")
    print_fields(details)


@quarantine.command("accept")
@click.argument("quarantine_id", metavar="ID")
@pass_office
def accept(office: Office, quarantine_id: str) -> None:
    """It is right: the person in the images is the person in the order, or the object belongs to its study."""
    resolution.accept(office.core, quarantine_id, actor=office.actor)
    click.echo(f"{quarantine_id} accepted")


@quarantine.command("reject")
@click.argument("quarantine_id", metavar="ID")
@pass_office
def reject(office: Office, quarantine_id: str) -> None:
    """It is kept, and used for nothing."""
    resolution.reject(office.core, quarantine_id, actor=office.actor)
    click.echo(f"{quarantine_id} rejected")
