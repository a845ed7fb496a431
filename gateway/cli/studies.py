"""`consilium study`: what arrived, and which case it belongs to."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_fields, print_json, print_page
from gateway.cli.parameters import reason_option
from gateway.domain.study import StudyState
from gateway.services import linking, listing, second_look
from gateway.services.looking import record_look

_COLUMNS = {
    "id": "id",
    "clinic": "clinic",
    "case_id": "case",
    "state": "state",
    "instances": "objects",
    "study_instance_uid": "StudyInstanceUID",
    "last_received_at": "last object",
    "waits_for": "waits for",
}


@click.group()
def study() -> None:
    """Studies that were received."""


@study.command("list")
@click.option(
    "--state", type=click.Choice([*map(str, StudyState)], case_sensitive=False), help="Only these, such as unmatched."
)
@click.option("--case", "case_id", metavar="ID", help="Only those of one case.")
@limit_option
@json_option
@pass_office
def list_studies(office: Office, state: str | None, case_id: str | None, limit: int, is_json: bool) -> None:
    """All studies, the newest first."""
    wanted = StudyState(state) if state else None
    found = listing.study_lines(office.core, case_id=case_id, state=wanted, limit=limit + 1)
    print_page(found, _COLUMNS, limit=limit, is_json=is_json)


@study.command("show")
@click.argument("study_id", metavar="ID")
@json_option
@pass_office
def show_study(office: Office, study_id: str, is_json: bool) -> None:
    """One study."""
    found = listing.study_line(office.core, study_id)
    subject = f"study/{study_id}"
    record_look(office.core, "study.show", actor=office.actor, case_id=found.case_id or None, subject=subject)
    print_json(found) if is_json else print_fields({label: getattr(found, name) for name, label in _COLUMNS.items()})


@study.command("link")
@click.argument("study_id", metavar="STUDY")
@click.argument("case_id", metavar="CASE")
@pass_office
def link_study(office: Office, study_id: str, case_id: str) -> None:
    """Tie an unmatched study to its case; the patient's identity is still compared."""
    linking.link(office.core, study_id, case_id, actor=office.actor)
    click.echo(f"study {study_id} is matched with case {case_id} next")


@study.command("leave-out")
@click.argument("study_id", metavar="STUDY")
@reason_option
@pass_office
def leave_out(office: Office, study_id: str, reason: str) -> None:
    """What came of it when its case was closed is not needed: it goes when the case is destroyed."""
    second_look.leave_out(office.core, study_id, reason=reason, actor=office.actor)
    click.echo(f"what came too late of study {study_id} stays out")
