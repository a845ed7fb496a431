"""`consilium recall`: what had been granted when its consent went, and has to be asked for back."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_page
from gateway.services import recall as notices

_COLUMNS = {
    "id": "id",
    "case_id": "case",
    "delivery_id": "delivery",
    "kind": "kind",
    "recipient": "recipient",
    "reason": "reason",
    "what_left": "what left",
    "created_at": "since",
}
_ENDED = {"acknowledged_by": "acknowledged by", "acknowledged_at": "at"}


@click.group()
def recall() -> None:
    """What a coordinator has to ask back from a recipient."""


@recall.command("list")
@click.option("--case", "case_id", metavar="ID", help="Only those of one case.")
@click.option("--all", "is_all", is_flag=True, help="Those acknowledged already, too.")
@limit_option
@json_option
@pass_office
def list_recalls(office: Office, case_id: str | None, is_all: bool, limit: int, is_json: bool) -> None:
    """Recall notices that nobody has acknowledged, the oldest first."""
    found = notices.recall_lines(office.core, case_id=case_id, is_open=not is_all, limit=limit + 1)
    print_page(found, _COLUMNS | _ENDED if is_all else _COLUMNS, limit=limit, is_json=is_json)


@recall.command("acknowledge")
@click.argument("recall_id", metavar="ID")
@pass_office
def acknowledge_recall(office: Office, recall_id: str) -> None:
    """You, a coordinator, have asked the recipient to delete it; the audit trail says so."""
    from gateway.services import recalling

    recalling.acknowledge(office.core, recall_id, actor=office.actor)
    click.echo(f"recall notice {recall_id} is acknowledged")
