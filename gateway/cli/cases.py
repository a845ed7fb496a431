"""`consilium case`: the story of each case, and who reviews it."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_fields, print_json, print_page, print_table, readable
from gateway.domain.story import CaseStory
from gateway.services import listing, story


@click.group()
def case() -> None:
    """Orders for a second opinion."""


@case.command("list")
@limit_option
@json_option
@pass_office
def list_cases(office: Office, limit: int, is_json: bool) -> None:
    """All cases, the newest first."""
    columns = {"id": "id", "pseudonym": "pseudonym", "clinic": "clinic", "reviewer": "reviewer", "state": "state"}
    found = listing.case_lines(office.core, limit=limit + 1)
    print_page(found, columns | {"created_at": "opened"}, limit=limit, is_json=is_json)


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
    from gateway.services import cases

    cases.assign(office.core, case_id, reviewer_name, actor=office.actor)
    click.echo(f"case {case_id} is with {reviewer_name}")


def _tell(told: CaseStory) -> None:
    reviewer = told.reviewer or "nobody yet"
    header: dict[str, object] = {"case": told.case_id, "pseudonym": told.pseudonym, "clinic": told.clinic}
    print_fields(header | {"reviewer": reviewer, "state": told.state})
    click.echo()
    stations = [
        (f"{one.at:%Y-%m-%d %H:%M:%S}", one.what, one.outcome, readable(one.consents), one.detail)
        for one in told.stations
    ]
    print_table(("time (UTC)", "station", "decision", "consents", "detail"), stations, whole=("time (UTC)",))
    click.echo()
    if not told.waits:
        click.echo("waits for nothing")
    for wait in told.waits:
        click.echo(f"waits for  {wait.what}")
        print_fields({"since": wait.since, "who can move it": wait.who}, indent=11)
