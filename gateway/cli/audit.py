"""`consilium audit`: who did and saw what, what left and why, and whether the trail is whole."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import (
    json_option,
    limit_option,
    print_fields,
    print_json,
    print_page,
    print_table,
    readable,
    write_file,
)
from gateway.cli.progress import progress
from gateway.domain.errors import Invalid

if TYPE_CHECKING:
    from gateway.domain.audit_proof import Verification
    from gateway.domain.audit_record import Accounting

_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command("list")
@click.option("--case", "case_id", metavar="ID", required=True, help="The case.")
@limit_option
@json_option
@pass_office
def list_audit(office: Office, case_id: str, limit: int, is_json: bool) -> None:
    """Everything that concerns a case, the newest first; that you looked is recorded."""
    from gateway.services import listing
    from gateway.services.looking import record_look

    columns = {"at": "time", "actor": "who", "action": "what", "outcome": "outcome", "subject": "of"}
    found = listing.audit_lines(office.core, case_id, limit=limit + 1)
    record_look(office.core, "audit.list", actor=office.actor, case_id=case_id)
    print_page(found, columns | {"details": "details"}, limit=limit, is_json=is_json)


@audit.command("patient")
@click.argument("patient_id", metavar="ID")
@limit_option
@json_option
@pass_office
def show_patient(office: Office, patient_id: str, limit: int, is_json: bool) -> None:
    """Who saw or changed what of a patient, when and on what ground, the newest first; that you looked is recorded."""
    from gateway.services.looking import record_look
    from gateway.services.patient_trail import patient_lines

    columns = {"at": "time", "actor": "who", "action": "what", "outcome": "outcome", "subject": "of"}
    found = patient_lines(office.core, patient_id, limit=limit + 1)
    record_look(office.core, "audit.patient", actor=office.actor, patient_id=patient_id)
    print_page(found, columns | {"case_id": "case", "ground": "on what ground"}, limit=limit, is_json=is_json)


@audit.command("disclosures")
@click.option("--patient", "patient_id", metavar="ID", help="Of this patient, in all cases.")
@click.option("--case", "case_id", metavar="ID", help="Of this case alone.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="From this day (UTC) on; six years back without it.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv", "pdf"]), default="text", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; a PDF needs one.")
@pass_office
def list_disclosures(
    office: Office, patient_id: str | None, case_id: str | None, since: datetime | None, form: str, output: Path | None
) -> None:
    """What was disclosed to whom, when, why and on which consents (45 CFR 164.528); that you asked is recorded."""
    from gateway.services import accounting
    from gateway.services.looking import record_look

    since = since.replace(tzinfo=UTC) if since else None
    if form == "pdf" and output is None:
        raise click.UsageError("a PDF goes to a file: --output FILE")
    if patient_id and not case_id:
        found = accounting.accounting_of_patient(office.core, patient_id, since=since)
    elif case_id and not patient_id:
        found = accounting.accounting_of_case(office.core, case_id, since=since)
    else:
        raise click.UsageError("name a patient or a case: --patient ID or --case ID")
    record_look(office.core, "audit.disclosures", actor=office.actor, case_id=case_id, patient_id=found.patient_id)
    _tell_disclosures(office, found, form, output)


def _tell_disclosures(office: Office, found: "Accounting", form: str, output: Path | None) -> None:
    if form in ("csv", "pdf"):
        content = _file_of(office, found, form)
        write_file(output, content) if output else click.echo(content, nl=False)
    elif form == "json":
        print_json(found)
    else:
        _print_disclosures(found)


def _print_disclosures(found: "Accounting") -> None:
    from gateway.domain.accounting_words import moment_in_words, purposes_in_words

    def moment(at: datetime | None) -> str:
        return moment_in_words(at, found.time_zone) if at else ""

    print_fields({"patient": found.patient_id, "custodian": found.custodian, "times of": found.time_zone})
    click.echo()
    if not found.disclosures:
        click.echo("none")
        return
    headings = ("time", "to", "address", "what", "for", "consents", "transfer abroad", "arrived", "recalled")
    rows = [
        (
            moment(one.granted_at),
            f"{one.recipient} ({one.country})" if one.country else one.recipient,
            one.address,
            one.what,
            purposes_in_words(one.purposes),
            readable(one.consents),
            one.transfer,
            " ".join(filter(None, (moment(one.acknowledged_at), one.acknowledgement))),
            moment(one.recalled_at),
        )
        for one in found.disclosures
    ]
    print_table(headings, rows)


def _file_of(office: Office, found: "Accounting", form: str) -> bytes:
    if form == "csv":
        from gateway.services.accounting_csv import as_csv

        return as_csv(found).encode()
    from workers.rendering.accounting import render_accounting

    return render_accounting(found, institution=office.core.institution)


@audit.command("anchor")
@json_option
@pass_office
def make_anchor(office: Office, is_json: bool) -> None:
    """Write down what the chain is now, as a file to be kept elsewhere."""
    from gateway.services import anchoring

    folder = office.settings.anchor_dir
    made = anchoring.anchor(office.core, folder)
    if made is None:
        raise Invalid("nothing is sealed yet; the worker seals")
    if is_json:
        print_json(made)
    else:
        print_fields({"folder": folder, "sealed rows": made.position, "sha256": made.sha256})


@audit.command("verify")
@click.option(
    "--anchors",
    type=_FOLDER,
    help="Compare with the anchors in this folder, and in those below it; without it those of audit.anchor_folder.",
)
@json_option
@pass_office
@click.pass_context
def verify(ctx: click.Context, office: Office, anchors: Path | None, is_json: bool) -> None:
    """Recompute the chain, and compare it with its anchors. Exit status 1 when it is broken."""
    from gateway.services import listing
    from gateway.store.anchors import anchors_so_far, read_anchors

    folder = anchors or office.settings.anchor_dir
    kept = read_anchors(folder) if anchors else anchors_so_far(folder)  # before the walk, which sees what they saw
    with progress("verifying", total=listing.sealed_rows(office.core), is_json=is_json) as advance:
        found = listing.verified_audit(office.core, advance, kept)
    if is_json:
        print_json(asdict(found) | {"anchors": len(kept), "anchor_folder": folder})
    else:
        _tell_verification(found, office, len(kept), folder)
    ctx.exit(0 if found.broken_at is None else 1)


def _tell_verification(found: "Verification", office: Office, anchors: int, folder: Path) -> None:
    age = f", the oldest for {office.core.now() - found.oldest_unsealed_at}" if found.oldest_unsealed_at else ""
    tail = f"{found.unsealed} not sealed yet{age}"
    none = f"there is no anchor in {folder} to compare with: an end that was cut off would not show"
    if found.broken_at is None:
        agrees = f"it agrees with {anchors} anchors in {folder}" if anchors else none
        click.echo(f"the chain is whole: {found.sealed} rows sealed, {tail}; {agrees}")
        return
    compared = f"compared with {anchors} anchors in {folder}" if anchors else none
    broken = f"the chain is BROKEN at audit row {found.broken_at}, after {found.sealed} good rows"
    click.echo(f"{broken}; {tail}; {compared}")
    for damage in found.damages:
        place = f" (seal {damage.position})" if damage.position is not None else ""
        click.echo(f"  audit row {damage.audit_id}{place}: {damage.what}")
