"""`consilium client`: the OAuth clients of clinics and reviewers."""

from pathlib import Path

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_fields, print_json, print_list
from gateway.domain.errors import Invalid
from gateway.domain.scopes import EVERYTHING
from gateway.services import listing

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOST_KEY_BYTES = 1024 * 1024


@click.group()
def client() -> None:
    """Programs that may call /fhir on behalf of a clinic or a reviewer."""


@client.command("add")
@click.argument("party_name", metavar="PARTY")
@click.option("--id", "client_id", help="The client id; otherwise one is made.")
@click.option("--jwks", type=_FILE, help="File with its public keys (JWK Set), by which it signs assertions.")
@click.option("--jwks-url", help="The https address at which it publishes its public keys.")
@click.option("--certificate-name", help="The DNS name in its TLS certificate, which the proxy in front verifies.")
@click.option("--with-secret", is_flag=True, help="Make a secret as well.")
@click.option("--scope", default=EVERYTHING, show_default=True, help="What it may do, as in 'system/Patient.rs'.")
@json_option
@pass_office
def add_client(
    office: Office,
    party_name: str,
    client_id: str | None,
    jwks: Path | None,
    jwks_url: str | None,
    certificate_name: str | None,
    with_secret: bool,
    scope: str,
    is_json: bool,
) -> None:
    """Register a client of PARTY. It proves itself by keys, a certificate, or else by a secret.

    A secret is printed now and can never be shown again.
    """
    from gateway.services import clients

    others = (jwks, jwks_url, certificate_name)
    has_secret = with_secret or not any(other is not None for other in others)
    means = clients.Means(has_secret, _content(jwks), jwks_url, certificate_name)
    new = clients.add_client(office.core, party_name, client_id, means=means, scope=scope, actor=office.actor)
    secret = {"client_secret": new.secret} if new.secret else {}
    by = {"methods": new.methods, "scope": new.scope}
    shown: dict[str, object] = {"client_id": new.client_id, **secret, "party": new.party_name, **by}
    print_json(shown) if is_json else print_fields(shown)


@client.command("list")
@json_option
@pass_office
def list_clients(office: Office, is_json: bool) -> None:
    """All clients, the revoked ones too."""
    columns = {"id": "id", "party": "party", "methods": "proven by", "scope": "scope"}
    columns |= {"created_at": "created", "revoked_at": "revoked"}
    print_list(listing.client_lines(office.core), columns, is_json=is_json)


@client.command("show")
@click.argument("client_id")
@json_option
@pass_office
def show_client(office: Office, client_id: str, is_json: bool) -> None:
    """Whose client it is, what it proves itself by and what it may do; never a secret."""
    from gateway.services.client_page import client_page

    page = client_page(office.core, client_id)
    if is_json:
        print_json(page)
        return
    line = page.client
    fields: dict[str, object] = {"client": line.id, "party": line.party, "proven by": line.methods, "scope": line.scope}
    fields |= {"created": line.created_at, "revoked": line.revoked_at, "certificate name": page.certificate_name}
    fields |= {"keys at": page.jwks_url, "keys fetched": page.keys_fetched_at, "keys": [one.kid for one in page.keys]}
    print_fields({label: value for label, value in fields.items() if value not in (None, [], ())})


@client.command("keys")
@click.argument("client_id")
@click.option("--jwks", type=_FILE, help="File with the public keys (JWK Set) that take the place of those before.")
@click.option("--jwks-url", help="The https address at which it publishes its public keys from now on.")
@json_option
@pass_office
def show_keys(office: Office, client_id: str, jwks: Path | None, jwks_url: str | None, is_json: bool) -> None:
    """The public keys of a client, or others in their place: those before and its tokens end at once."""
    from gateway.services.client_page import client_page

    if jwks is not None or jwks_url is not None:
        from gateway.services import clients

        clients.set_keys(office.core, client_id, jwks=_content(jwks), jwks_url=jwks_url, actor=office.actor)
    columns = {"kid": "kid", "kind": "kind", "thumbprint": "thumbprint", "expires_at": "expires"}
    print_list(client_page(office.core, client_id).keys, columns, is_json=is_json)


@client.command("rotate-secret")
@click.argument("client_id")
@json_option
@pass_office
def rotate_secret(office: Office, client_id: str, is_json: bool) -> None:
    """Make a new secret and print it, once; the one before and the client's tokens end at once."""
    from gateway.services import clients

    shown: dict[str, object] = {"client_id": client_id}
    shown["client_secret"] = clients.rotate_secret(office.core, client_id, actor=office.actor)
    print_json(shown) if is_json else print_fields(shown)


@client.command("scopes")
@click.argument("client_id")
@click.option("--scope", required=True, help="What it may do from now on, as in 'system/Patient.rs'.")
@pass_office
def set_scopes(office: Office, client_id: str, scope: str) -> None:
    """Register a client for something else; its tokens end at once."""
    from gateway.services import clients

    click.echo(f"client {client_id} may do {clients.set_scopes(office.core, client_id, scope, actor=office.actor)}")


@client.command("revoke")
@click.argument("client_id")
@pass_office
def revoke_client(office: Office, client_id: str) -> None:
    """Its secret, its keys and its tokens are worth nothing from now on."""
    from gateway.services import clients

    clients.revoke_client(office.core, client_id, actor=office.actor)
    click.echo(f"client {client_id} revoked")


def _content(path: Path | None) -> bytes | None:
    """The file, which may be a wrong one: not more of it than any key file has."""
    if path is None:
        return None
    if path.stat().st_size > _MOST_KEY_BYTES:
        raise Invalid(f"{path} is too long for a JWK Set", at="jwks")
    return path.read_bytes()
