"""`consilium document`: a person clears each document before it may leave."""

from pathlib import Path

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, limit_option, print_fields, print_json, print_page, readable, write_file
from gateway.cli.parties import existing_file
from gateway.services import listing


@click.group()
def document() -> None:
    """Documents of the cases, such as pathology reports."""


@document.command("list")
@click.option("--case", "case_id", metavar="ID", help="Only those of one case.")
@limit_option
@json_option
@pass_office
def list_documents(office: Office, case_id: str | None, limit: int, is_json: bool) -> None:
    """All documents, the newest first."""
    columns = {"id": "id", "case_id": "case", "state": "state", "loinc": "LOINC", "clinical_date": "of"}
    columns |= {"created_at": "received"}
    found = listing.documents(office.core, case_id=case_id, limit=limit + 1)
    print_page(found, columns | {"cleared_by": "by"}, limit=limit, is_json=is_json)


@document.command("show")
@click.argument("document_id", metavar="ID")
@json_option
@pass_office
def show(office: Office, document_id: str, is_json: bool) -> None:
    """One document with its title. This shows patient data, and the audit trail says to whom."""
    from gateway.services import documents

    found = documents.shown(office.core, document_id, actor=office.actor)
    if is_json:
        print_json(found)
        return
    fields = {"document": found.id, "case": found.case_id, "state": found.state, "title": found.title}
    fields |= {"LOINC": found.loinc, "of": readable(found.clinical_date), "received": readable(found.created_at)}
    print_fields(fields | {"by": readable(found.cleared_by)})


@document.command("save")
@click.argument("document_id", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_office
def save(office: Office, document_id: str, file: Path) -> None:
    """Write the PDF as the clinic sent it to FILE, to be read or redacted; the audit trail says who did."""
    from gateway.services import documents

    write_file(file, documents.original(office.core, document_id, actor=office.actor))
    click.echo(f"document {document_id} is in {file}; it holds patient data")


@document.command("approve")
@click.argument("document_id", metavar="ID")
@pass_office
def approve(office: Office, document_id: str) -> None:
    """You have read it, and it names nobody: it may leave as it is."""
    from gateway.services import documents

    documents.approve(office.core, document_id, actor=office.actor)
    click.echo(f"document {document_id} approved")


@document.command("redact")
@click.argument("document_id", metavar="ID")
@click.argument("pdf", type=existing_file())
@pass_office
def redact(office: Office, document_id: str, pdf: Path) -> None:
    """Attach the redacted version PDF; that one leaves instead."""
    from gateway.services import documents

    documents.attach_redacted(office.core, document_id, pdf.read_bytes(), actor=office.actor)
    click.echo(f"document {document_id} leaves in its redacted version")


@document.command("reject")
@click.argument("document_id", metavar="ID")
@pass_office
def reject(office: Office, document_id: str) -> None:
    """Keep it from leaving."""
    from gateway.services import documents

    documents.reject(office.core, document_id, actor=office.actor)
    click.echo(f"document {document_id} stays here")
