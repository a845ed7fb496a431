"""`consilium audit`: who did and saw what, and whether the trail is whole."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_json, print_page
from gateway.cli.progress import progress
from gateway.services import listing


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command("list")
@click.option("--case", "case_id", metavar="ID", required=True, help="The case.")
@limit_option
@json_option
@pass_office
def list_audit(office: Office, case_id: str, limit: int, is_json: bool) -> None:
    """Everything that concerns a case, the newest first."""
    columns = {"at": "time", "actor": "who", "action": "what", "outcome": "outcome", "subject": "of"}
    found = listing.audit_lines(office.core, case_id, limit=limit + 1)
    print_page(found, columns | {"details": "details"}, limit=limit, is_json=is_json)


@audit.command("verify")
@json_option
@pass_office
@click.pass_context
def verify(ctx: click.Context, office: Office, is_json: bool) -> None:
    """Recompute the chain. Exit status 1 when it is broken."""
    with progress("verifying", total=listing.sealed_rows(office.core), is_json=is_json) as advance:
        found = listing.verified_audit(office.core, advance)
    if is_json:
        print_json(found)
    elif found.broken_at is None:
        click.echo(f"the chain is whole: {found.sealed} rows sealed, {found.unsealed} not sealed yet")
    else:
        click.echo(f"the chain is BROKEN at audit row {found.broken_at}, after {found.sealed} good rows")
    ctx.exit(0 if found.broken_at is None else 1)
