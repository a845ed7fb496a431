"""`consilium case`: the story of each case, and who reviews it."""

import click
from rich.table import Table
from rich.text import Text

from gateway.cli.office import Office, pass_office
from gateway.cli.output import console, json_option, print_fields, print_json, print_list, readable
from gateway.domain.story import CaseStory
from gateway.services import cases, listing, story


@click.group()
def case() -> None:
    """Orders for a second opinion."""


@case.command("list")
@json_option
@pass_office
def list_cases(office: Office, is_json: bool) -> None:
    """All cases, the newest first."""
    columns = {"id": "id", "pseudonym": "pseudonym", "clinic": "clinic", "reviewer": "reviewer", "state": "state"}
    print_list(listing.case_lines(office.core), columns | {"created_at": "opened"}, is_json=is_json)


@case.command("show")
@click.argument("case_id", metavar="ID")
@json_option
@pass_office
def show_case(office: Office, case_id: str, is_json: bool) -> None:
    """What happened to the case, on what ground, and what it waits for."""
    told = story.case_story(office.core, case_id)
    print_json(told) if is_json else _tell(told)


@case.command("assign")
@click.argument("case_id", metavar="ID")
@click.argument("reviewer_name", metavar="REVIEWER")
@pass_office
def assign_case(office: Office, case_id: str, reviewer_name: str) -> None:
    """Give the case to a reviewer."""
    cases.assign(office.core, case_id, reviewer_name, actor=office.actor)
    click.echo(f"case {case_id} is with {reviewer_name}")


def _tell(told: CaseStory) -> None:
    reviewer = told.reviewer or "nobody yet"
    header: dict[str, object] = {"case": told.case_id, "pseudonym": told.pseudonym, "clinic": told.clinic}
    print_fields(header | {"reviewer": reviewer, "state": told.state})
    click.echo()
    table = Table(box=None, pad_edge=False)
    for heading in ("time (UTC)", "station", "decision", "consents", "detail"):
        table.add_column(heading, overflow="fold", no_wrap=heading.startswith("time"))
    for station in told.stations:
        row = (
            f"{station.at:%Y-%m-%d %H:%M:%S}",
            station.what,
            station.outcome,
            readable(station.consents),
            station.detail,
        )
        table.add_row(*map(Text, row))
    console().print(table)
    click.echo()
    if not told.waits:
        click.echo("waits for nothing")
    for wait in told.waits:
        click.echo(f"waits for  {wait.what}")
        print_fields({"since": wait.since, "who can move it": wait.who}, indent=11)
