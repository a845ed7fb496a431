"""`consilium document`: a person clears each document before it may leave."""

from pathlib import Path

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_list
from gateway.cli.parties import existing_file
from gateway.services import documents, listing


@click.group()
def document() -> None:
    """Documents of the cases, such as pathology reports."""


@document.command("list")
@click.option("--case", "case_id", metavar="ID", help="Only those of one case.")
@json_option
@pass_office
def list_documents(office: Office, case_id: str | None, is_json: bool) -> None:
    """All documents, the oldest first."""
    columns = {"id": "id", "case_id": "case", "state": "state", "title": "title", "created_at": "received"}
    print_list(listing.documents(office.core, case_id=case_id), columns | {"cleared_by": "by"}, is_json=is_json)


@document.command("save")
@click.argument("document_id", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_office
def save(office: Office, document_id: str, file: Path) -> None:
    """Write the PDF as the clinic sent it to FILE, to be read or redacted; the audit trail says who did."""
    file.write_bytes(documents.original(office.core, document_id, actor=office.actor))
    click.echo(f"document {document_id} is in {file}; it holds patient data")


@document.command("approve")
@click.argument("document_id", metavar="ID")
@pass_office
def approve(office: Office, document_id: str) -> None:
    """You have read it, and it names nobody: it may leave as it is."""
    documents.approve(office.core, document_id, actor=office.actor)
    click.echo(f"document {document_id} approved")


@document.command("redact")
@click.argument("document_id", metavar="ID")
@click.argument("pdf", type=existing_file())
@pass_office
def redact(office: Office, document_id: str, pdf: Path) -> None:
    """Attach the redacted version PDF; that one leaves instead."""
    documents.attach_redacted(office.core, document_id, pdf.read_bytes(), actor=office.actor)
    click.echo(f"document {document_id} leaves in its redacted version")


@document.command("reject")
@click.argument("document_id", metavar="ID")
@pass_office
def reject(office: Office, document_id: str) -> None:
    """Keep it from leaving."""
    documents.reject(office.core, document_id, actor=office.actor)
    click.echo(f"document {document_id} stays here")
