"""`consilium user`: people who sign in with a browser."""

from collections.abc import Callable
from typing import Any

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_fields, print_json, print_list, readable
from gateway.domain.people import Role
from gateway.services.people import registry

_COLUMNS = {
    "name": "name",
    "roles": "roles",
    "party": "party",
    "state": "state",
    "subject": "identity provider's",
    "created_at": "created",
}
_roles_option: Callable[..., Any] = click.option(
    "--role",
    "roles",
    type=click.Choice([str(role) for role in Role]),
    multiple=True,
    required=True,
    help="What the person is here; may be repeated.",
)
_party_option: Callable[..., Any] = click.option(
    "--party", "party_name", metavar="PARTY", help="The reviewing party that a reviewer belongs to."
)


@click.group()
def user() -> None:
    """People who sign in with a browser, and their roles."""


@user.command("add")
@click.argument("name")
@_roles_option
@_party_option
@json_option
@pass_office
def add_user(office: Office, name: str, roles: tuple[str, ...], party_name: str | None, is_json: bool) -> None:
    """Make NAME known. The code to enrol with is printed now and can never be shown again."""
    invitation = registry.add(office.core, name, map(Role, roles), party_name, actor=office.actor)
    _print_invitation(office, invitation, is_json=is_json)


@user.command("list")
@json_option
@pass_office
def list_users(office: Office, is_json: bool) -> None:
    """Everybody, the disabled too."""
    print_list(registry.listed(office.core), _COLUMNS, is_json=is_json)


@user.command("show")
@click.argument("name")
@json_option
@pass_office
def show_user(office: Office, name: str, is_json: bool) -> None:
    """What is known of NAME."""
    found = registry.shown(office.core, name)
    if is_json:
        print_json(found)
    else:
        labels = _COLUMNS | {"id": "id", "issuer": "known by", "disabled_at": "disabled"}
        print_fields({label: readable(getattr(found, field)) for field, label in labels.items()})


@user.command("roles")
@click.argument("name")
@_roles_option
@_party_option
@pass_office
def set_roles(office: Office, name: str, roles: tuple[str, ...], party_name: str | None) -> None:
    """Give NAME these roles and no other ones; its sessions end."""
    registry.set_roles(office.core, name, map(Role, roles), party_name, actor=office.actor)
    click.echo(f"user {name}: {', '.join(sorted(roles))}")


@user.command("disable")
@click.argument("name")
@pass_office
def disable_user(office: Office, name: str) -> None:
    """NAME is signed out everywhere, and cannot sign in."""
    registry.disable(office.core, name, actor=office.actor)
    click.echo(f"user {name} is disabled")


@user.command("enable")
@click.argument("name")
@pass_office
def enable_user(office: Office, name: str) -> None:
    """NAME may sign in again."""
    registry.enable(office.core, name, actor=office.actor)
    click.echo(f"user {name} is enabled")


@user.command("unlock")
@click.argument("name")
@pass_office
def unlock_user(office: Office, name: str) -> None:
    """Earlier failures to sign in no longer delay NAME."""
    registry.unlock(office.core, name, actor=office.actor)
    click.echo(f"nothing delays user {name} any more")


@user.command("reset")
@click.argument("name")
@json_option
@pass_office
def reset_user(office: Office, name: str, is_json: bool) -> None:
    """Password, second factor and sessions of NAME are worth nothing; a new code to enrol with is printed."""
    _print_invitation(office, registry.reset(office.core, name, actor=office.actor), is_json=is_json)


def _print_invitation(office: Office, invitation: registry.Invitation, *, is_json: bool) -> None:
    """The page and the code apart: an address is written to logs and histories."""
    web = office.settings.web
    base_url = web.base_url or f"http://{web.host}:{web.port}"
    shown: dict[str, object] = {
        "name": invitation.name,
        "page": f"{base_url}/account/enrolment",
        "code": invitation.code,
        "good_until": invitation.ends_at,
    }
    print_json(shown) if is_json else print_fields(shown)
