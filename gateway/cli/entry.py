"""The group `consilium`, with the options that stand before every command."""

import gc
import os
from pathlib import Path

import click

from gateway.cli.commands import Commands
from gateway.cli.office import Office


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Settings file; otherwise CONSILIUM_CONFIG, otherwise ./consilium.toml.",
)
@click.version_option(package_name="consilium-gateway", prog_name="consilium")
@click.pass_context
def main(ctx: click.Context, config_file: Path | None) -> None:
    """Second opinions: studies, orders and consents come in, de-identified cases go out, signed reports go back."""
    os.umask(0o077)  # patient data and keys: what any command creates is readable by its own user only
    office = Office(config_file)
    ctx.obj = office
    ctx.call_on_close(office.close)


def run() -> None:
    """The program itself. Nothing is collected until the office has its settings: what a start makes stays."""
    gc.disable()
    main()
