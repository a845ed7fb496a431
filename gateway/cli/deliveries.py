"""`consilium delivery`: what leaves, how far it has come, and what a person can do about it."""

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_fields, print_json, print_list, print_page
from gateway.cli.parameters import reason_option
from gateway.domain.delivery import DeliveryState
from gateway.services import listing
from gateway.services.looking import record_look

_COLUMNS = {
    "id": "id",
    "case_id": "case",
    "kind": "kind",
    "endpoint": "endpoint",
    "state": "state",
    "attempts": "attempts",
    "next_try_at": "next try",
    "waits_for": "waits for",
    "last_error": "last error",
    "changed_at": "changed",
}


@click.group()
def delivery() -> None:
    """Studies and documents to reviewers, reports to clinics."""


@delivery.command("list")
@click.option("--case", "case_id", metavar="ID", help="Only those of one case.")
@click.option(
    "--state",
    "states",
    type=click.Choice([*map(str, DeliveryState)], case_sensitive=False),
    multiple=True,
    help="Only these.",
)
@click.option("--endpoint", "endpoint_name", metavar="NAME", help="Only those to one endpoint.")
@limit_option
@json_option
@pass_office
def list_deliveries(
    office: Office,
    case_id: str | None,
    states: tuple[str, ...],
    endpoint_name: str | None,
    limit: int,
    is_json: bool,
) -> None:
    """All deliveries, the newest first."""
    wanted = [DeliveryState(state) for state in states]
    asked = {"case_id": case_id, "endpoint_name": endpoint_name}
    found = listing.delivery_lines(office.core, **asked, states=wanted, limit=limit + 1)
    print_page(found, _COLUMNS, limit=limit, is_json=is_json)


@delivery.command("show")
@click.argument("delivery_id", metavar="ID")
@json_option
@pass_office
def show_delivery(office: Office, delivery_id: str, is_json: bool) -> None:
    """One delivery with its objects and its receipt."""
    found = listing.delivery_view(office.core, delivery_id)
    case_id, subject = found.delivery.case_id, f"delivery/{delivery_id}"
    record_look(office.core, "delivery.show", actor=office.actor, case_id=case_id, subject=subject)
    if is_json:
        print_json(found)
        return
    print_fields({label: getattr(found.delivery, name) for name, label in _COLUMNS.items()})
    for label, value in (found.receipt or {}).items():
        click.echo(f"receipt {label}: {value}")
    if found.items:
        click.echo()
        columns = {"position": "no.", "sop_instance_uid": "SOPInstanceUID", "status": "status", "sent_at": "sent"}
        columns |= {"attempts": "attempts", "last_error": "last error"}
        print_list(found.items, columns, is_json=False)
    if found.history:
        click.echo()
        columns = {"at": "time", "action": "what", "actor": "by", "attempt": "attempt", "error": "error"}
        print_list(found.history, columns, is_json=False)


@delivery.command("retry")
@click.argument("delivery_id", metavar="[ID]", required=False)
@click.option("--endpoint", "endpoint_name", metavar="NAME", help="Those to this endpoint, with --failed.")
@click.option("--failed", "is_failed", is_flag=True, help="All that failed or are in doubt, with --endpoint.")
@pass_office
def retry_delivery(office: Office, delivery_id: str | None, endpoint_name: str | None, is_failed: bool) -> None:
    """Try one again now, or after an outage all that gave up for an endpoint; consent is decided anew.

    What may be there already is looked for there first.
    """
    from gateway.services import delivery_control

    if delivery_id and not endpoint_name and not is_failed:
        delivery_control.retry(office.core, delivery_id, actor=office.actor)
        tried = [delivery_id]
    elif endpoint_name and is_failed and not delivery_id:
        tried = delivery_control.retry_failed(office.core, endpoint_name, actor=office.actor)
    else:
        raise click.UsageError("name one delivery, or say --endpoint NAME --failed")
    for one in tried:
        click.echo(f"delivery {one} is tried again")
    if not tried:
        click.echo(f"nothing to {endpoint_name} has failed")


@delivery.command("confirm")
@click.argument("delivery_id", metavar="ID")
@pass_office
def confirm_delivery(office: Office, delivery_id: str) -> None:
    """You have looked, and the destination has it."""
    from gateway.services import delivery_control

    delivery_control.confirm(office.core, delivery_id, actor=office.actor)
    click.echo(f"delivery {delivery_id} counts as delivered")


@delivery.command("resend")
@click.argument("delivery_id", metavar="ID")
@pass_office
def resend_delivery(office: Office, delivery_id: str) -> None:
    """You have looked, and the destination has not got it: send it anew."""
    from gateway.services import delivery_control

    delivery_control.resend(office.core, delivery_id, actor=office.actor)
    click.echo(f"delivery {delivery_id} is sent anew")


@delivery.command("hold")
@click.argument("delivery_id", metavar="ID")
@reason_option
@pass_office
def hold_delivery(office: Office, delivery_id: str, reason: str) -> None:
    """Keep it back until it is released, whatever the consents say."""
    from gateway.services import delivery_control

    delivery_control.hold(office.core, delivery_id, reason, actor=office.actor)
    click.echo(f"delivery {delivery_id} is held back")


@delivery.command("release")
@click.argument("delivery_id", metavar="ID")
@pass_office
def release_delivery(office: Office, delivery_id: str) -> None:
    """Let go on what was held back; consent is decided anew."""
    from gateway.services import delivery_control

    delivery_control.release(office.core, delivery_id, actor=office.actor)
    click.echo(f"delivery {delivery_id} goes on")


@delivery.command("cancel")
@click.argument("delivery_id", metavar="ID")
@pass_office
def cancel_delivery(office: Office, delivery_id: str) -> None:
    """Stop it for good."""
    from gateway.services import delivery_control

    delivery_control.cancel(office.core, delivery_id, actor=office.actor)
    click.echo(f"delivery {delivery_id} is cancelled")
