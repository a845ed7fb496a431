"""`consilium case`: the story of each case, who reviews it, and how long it is kept."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_fields, print_json, print_page, print_table, readable
from gateway.cli.parameters import reason_option
from gateway.domain.story import CaseStory
from gateway.services import legal_hold, listing, story
from gateway.services.looking import record_look


@click.group()
def case() -> None:
    """Orders for a second opinion."""


@case.command("list")
@limit_option
@json_option
@pass_office
def list_cases(office: Office, limit: int, is_json: bool) -> None:
    """All cases, the newest first."""
    columns = {"id": "id", "orders": "order", "pseudonym": "pseudonym", "clinic": "clinic", "reviewer": "reviewer"}
    columns |= {"state": "state", "created_at": "opened"}
    print_page(listing.case_lines(office.core, limit=limit + 1), columns, limit=limit, is_json=is_json)


@case.command("show")
@click.argument("case_id", metavar="ID")
@json_option
@pass_office
def show_case(office: Office, case_id: str, is_json: bool) -> None:
    """What happened to the case, on what ground, and what it waits for."""
    told = story.case_story(office.core, case_id)
    record_look(office.core, "case.show", actor=office.actor, case_id=case_id)
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


@case.command("close")
@click.argument("case_id", metavar="ID")
@reason_option
@pass_office
def close_case(office: Office, case_id: str, reason: str) -> None:
    """End the case: nothing more joins it. Refused while anything is undelivered or waits for a person."""
    from gateway.services import closing

    closing.close(office.core, case_id, reason=reason, actor=office.actor)
    click.echo(f"case {case_id} is closed")


@case.command("reopen")
@click.argument("case_id", metavar="ID")
@pass_office
def reopen_case(office: Office, case_id: str) -> None:
    """Take up a closed case again, as long as nothing of it was destroyed."""
    from gateway.services import closing

    closing.reopen(office.core, case_id, actor=office.actor)
    click.echo(f"case {case_id} is open")


@case.command("hold")
@click.argument("case_id", metavar="ID")
@reason_option
@pass_office
def hold_case(office: Office, case_id: str, reason: str) -> None:
    """Legal hold: nothing of the case is destroyed while it stands."""
    legal_hold.hold(office.core, case_id, reason=reason, actor=office.actor)
    click.echo(f"case {case_id} is held")


@case.command("unhold")
@click.argument("case_id", metavar="ID")
@pass_office
def unhold_case(office: Office, case_id: str) -> None:
    """End the legal hold: [retention] counts again."""
    legal_hold.unhold(office.core, case_id, actor=office.actor)
    click.echo(f"case {case_id} is not held any more")


@case.command("destroyed")
@click.option("--case", "case_id", metavar="ID", help="Of this case alone.")
@limit_option
@json_option
@pass_office
def list_destroyed(office: Office, case_id: str | None, limit: int, is_json: bool) -> None:
    """What was destroyed when its time was over, the newest first."""
    columns = {"at": "time", "case_id": "case", "kind": "kind", "subject_id": "of", "sha256": "sha256"}
    found = listing.destructions(office.core, case_id=case_id, limit=limit + 1)
    print_page(found, columns | {"size_bytes": "bytes", "reason": "rule"}, limit=limit, is_json=is_json)


def _tell(told: CaseStory) -> None:
    reviewer = told.reviewer or "nobody yet"
    header: dict[str, object] = {"case": told.case_id, "pseudonym": told.pseudonym, "clinic": told.clinic}
    kept = {"closed": told.closed_at, "legal hold": told.legal_hold, "destroyed": told.destroyed_at}
    header |= {label: value for label, value in kept.items() if value is not None}
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
