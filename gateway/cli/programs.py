"""`consilium up`, the programs it keeps running, `db upgrade` and `demo`."""

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from gateway.cli.office import Office, pass_office
from gateway.cli.probes import is_ready, listens
from gateway.cli.progress import working
from gateway.supervisor import Program, Supervisor

if TYPE_CHECKING:
    from config.settings import Settings


@click.command()
@pass_office
@click.pass_context
def up(ctx: click.Context, office: Office) -> None:
    """Bring the database up to date, then run web, DICOM node and worker until Ctrl-C."""
    from gateway.process import log_as_json

    settings = office.settings
    log_as_json(settings)
    _upgrade(settings)
    _import_programs()
    supervisor = Supervisor(_programs(office), on_ready=lambda: _announce(settings))
    ctx.exit(supervisor.run())


@click.command()
@pass_office
def web(office: Office) -> None:
    """Run the HTTP server."""
    from gateway import app

    app.run_web(office.settings)


@click.command("dicom-node")
@pass_office
def dicom_node(office: Office) -> None:
    """Run the DICOM node."""
    from dicom_node import app

    app.run_node(office.settings)


@click.command()
@pass_office
def worker(office: Office) -> None:
    """Run the worker: what arrived is matched, de-identified, rendered and delivered."""
    from workers import app

    app.run_worker(office.settings)


@click.group()
def db() -> None:
    """The database."""


@db.command()
@pass_office
def upgrade(office: Office) -> None:
    """Create or bring up to date the tables; safe while the previous version still runs."""
    _upgrade(office.settings)
    click.echo("the database is up to date")


@click.command()
@click.option("--once", is_flag=True, help="End when the report has arrived, instead of staying up until Ctrl-C.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Where the run's folder is made.")
def demo(once: bool, data_dir: str | None) -> None:
    """Play the hospital, the reviewer and the EHR against a gateway of its own."""
    options = [*(["--once"] if once else []), *(["--data-dir", data_dir] if data_dir else [])]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "gateway.demo", *options])  # noqa: S606 - this very program


def _upgrade(settings: "Settings") -> None:
    from gateway.store.schema import upgrade as upgrade_schema  # what only an upgrade needs is loaded for it alone
    from gateway.wiring import open_database

    database = open_database(settings)
    try:
        with working("bringing the tables up to date"):
            upgrade_schema(database)
    finally:
        database.dispose()


def _import_programs() -> None:
    """Once for all of them: most of what they import is the same."""
    with working("loading"):
        from dicom_node import app as _node
        from gateway import app as _web
        from workers import app as _worker
    _ = _node, _web, _worker


def _programs(office: Office) -> list[Program]:
    http_address = (office.settings.web.host, office.settings.web.port)
    dicom_address = (office.settings.dicom.host, office.settings.dicom.port)
    return [
        Program("web", partial(_run, office, "web"), lambda: is_ready(http_address)),
        Program("dicom-node", partial(_run, office, "dicom-node"), lambda: listens(dicom_address)),
        Program("worker", partial(_run, office, "worker"), _always),  # it listens to nobody; alive is ready
    ]


def _run(office: Office, command: str) -> None:
    """As `consilium COMMAND` does: the settings are read anew, and an error is a sentence and an exit status."""
    from gateway.cli.entry import main

    chosen = ["--config", str(office.config_file)] if office.config_file else []
    main([*chosen, command], prog_name="consilium")


def _announce(settings: "Settings") -> None:
    base_url = settings.web.base_url or f"http://{settings.web.host}:{settings.web.port}"
    node = settings.dicom
    click.echo("consilium is up")
    click.echo(f"  FHIR    {base_url}/fhir")
    click.echo(f"  OAuth   {base_url}/oauth/token")
    click.echo(f"  health  {base_url}/readyz")
    click.echo(f"  DICOM   {node.ae_title}@{node.host}:{node.port}")
    if node.tls_port:
        click.echo(f"          {node.ae_title}@{node.host}:{node.tls_port} (TLS)")
    click.echo(f"  data    {settings.data_dir}")
    sys.stdout.flush()


def _always() -> bool:
    return True
