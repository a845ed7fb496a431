"""`consilium job`: background work that gave up, and how it is begun again."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_page
from gateway.services import job_control

_COLUMNS = {
    "id": "id",
    "kind": "kind",
    "subject_id": "of",
    "case_id": "case",
    "attempts": "attempts",
    "last_error": "last error",
    "stopped_at": "since",
}


@click.group()
def job() -> None:
    """Background work that gave up; what failed while being sent is a delivery."""


@job.command("list")
@limit_option
@json_option
@pass_office
def list_jobs(office: Office, limit: int, is_json: bool) -> None:
    """What gave up and waits for an administrator, the oldest first."""
    print_page(job_control.stopped_jobs(office.core, limit=limit + 1), _COLUMNS, limit=limit, is_json=is_json)


@job.command("retry")
@click.argument("job_id", metavar="ID")
@pass_office
def retry_job(office: Office, job_id: str) -> None:
    """Do it again now; look first at why it gave up."""
    found = job_control.retry(office.core, job_id, actor=office.actor)
    click.echo(f"job {job_id} ({found.kind} of {found.subject_id}) is done again")
