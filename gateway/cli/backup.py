"""`consilium backup`: everything in one folder, and a gateway made of it again."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_fields, print_json
from gateway.cli.progress import progress
from gateway.domain.errors import Permanent

if TYPE_CHECKING:
    from gateway.store.backups import Backup

_FOLDER = click.Path(file_okay=False, path_type=Path)
_BACKUP = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def backup() -> None:
    """Backups: the database, every object, document and report, and the pseudonym key.

    A backup holds patient data and the key that undoes pseudonyms: keep it as secret as the gateway's own data.
    """


@backup.command()
@click.argument("folder", type=_FOLDER)
@json_option
@pass_office
def create(office: Office, folder: Path, is_json: bool) -> None:
    """Write a backup below FOLDER while the gateway runs.

    A second backup in the same FOLDER copies only what is new. The pseudonym key is in it: whoever has the backup
    knows who the patients are.
    """
    from gateway.services import backing_up

    made = backing_up.create(
        office.core,
        folder,
        software=version("consilium-gateway"),
        actor=office.actor,
        watch=lambda blobs: progress("copying", total=blobs, is_json=is_json),
    )
    _print(made.backup, is_json=is_json, copied=made.copied_blobs)


@backup.command("verify")
@click.argument("file", type=_BACKUP)
@json_option
@pass_office
def verify_backup(office: Office, file: Path, is_json: bool) -> None:
    """Read every file of the backup FILE, or of the newest one in it. Exit status 1 when one is missing or damaged.

    It also says whether the pseudonym key in it is the one that the settings name on this machine.
    """
    from gateway.services import backing_up
    from gateway.store.backups import open_backup

    found = open_backup(file)
    with progress("verifying", total=found.manifest.blobs, is_json=is_json) as advance:
        backing_up.verify(found, advance)
    _print(found, is_json=is_json, key=_compared(found.key(), office.settings.pseudonym_key_path))


@backup.command()
@click.argument("file", type=_BACKUP)
@json_option
@pass_office
def restore(office: Office, file: Path, is_json: bool) -> None:
    """Bring the backup FILE, or the newest one in it, into the empty gateway of the settings.

    Everything is verified first, and nothing is restored in part. Afterwards nothing leaves before the clinics have
    sent again what they sent since the backup, revoked consents above all, and you say so: consilium backup resume.
    """
    from gateway.services import restoring
    from gateway.store.backups import open_backup
    from gateway.wiring import clock, open_blobs, open_database

    settings, found = office.settings, open_backup(file)
    database = open_database(settings)
    try:
        target = restoring.Target(
            database=database,
            blobs=open_blobs(settings, database),
            spool_folder=settings.spool_dir,
            key_path=settings.pseudonym_key_path,
            now=clock(settings),
        )
        with progress("restoring", total=2 * found.manifest.blobs, is_json=is_json) as advance:
            restoring.restore(found, target, actor=office.actor, advance=advance)
    finally:
        database.dispose()
    _print(found, is_json=is_json)


@backup.command()
@click.argument("clinics", metavar="CLINIC...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every clinic that is still held back.")
@pass_office
def resume(office: Office, clinics: tuple[str, ...], is_all: bool) -> None:
    """Let what waits leave again for the cases of CLINIC, after a restore.

    Say so once the clinic has sent again what it has sent since the backup: a consent that was revoked since then still
    permits as long as this gateway does not know better. Each delivery is decided anew.
    """
    from gateway.services import restore_hold

    if bool(clinics) is is_all:
        raise click.UsageError("name the clinics, or say --all")
    for name in restore_hold.resume(office.core, clinics, actor=office.actor):
        click.echo(f"{name}: what waits leaves again")


def _compared(key: bytes, path: Path) -> str:
    """The key of a backup beside the one of this machine."""
    from gateway.store.keys import existing_key, shown

    if not path.exists():
        return f"fingerprint {shown(key)}; this machine has none at {path}"
    try:
        here = existing_key(path)
    except Permanent as exc:  # of this machine; the backup is whole
        return f"fingerprint {shown(key)}, not compared: {exc}"
    is_same = "that of this machine" if here == key else f"NOT that of this machine ({shown(here)} in {path})"
    return f"fingerprint {shown(key)}, {is_same}"


def _print(found: "Backup", *, is_json: bool, **more: object) -> None:
    manifest = found.manifest
    shown: dict[str, object] = {"backup": str(found.folder), "made_at": manifest.made_at, "revision": manifest.revision}
    shown |= {"rows": sum(one.rows for one in manifest.tables), "blobs": manifest.blobs, **more}
    print_json(shown) if is_json else print_fields(shown)
