"""The group `consilium`: finds the settings, gathers the commands, turns errors into one sentence."""

import importlib
import os
from pathlib import Path
from typing import Any

import click

from config.settings import UnusableSettings
from gateway.cli.office import Office
from gateway.domain.errors import GatewayError

USAGE = 2
COMMANDS = {
    "up": "programs",
    "web": "programs",
    "dicom-node": "programs",
    "worker": "programs",
    "db": "programs",
    "demo": "programs",
    "doctor": "doctor",
    "clinic": "parties",
    "reviewer": "parties",
    "endpoint": "endpoints",
    "client": "clients",
    "case": "cases",
    "study": "studies",
    "consent": "consents",
    "delivery": "deliveries",
    "quarantine": "quarantine",
    "document": "documents",
    "audit": "audit",
}
"""Command -> its module here, imported when it is asked for: a program starts without what the others need."""


class Refusal(click.ClickException):
    """`Error: sentence` on standard error, and the exit status 1."""


class BadUsage(click.ClickException):
    """The same with exit status 2."""

    exit_code = USAGE


class Commands(click.Group):
    """Finds its commands in their modules. Nobody is shown a traceback for one of the gateway's errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None when there is none by that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gateway.cli.{COMMANDS[cmd_name]}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a GatewayError ends with 1, unusable settings with 2."""
        try:
            return super().invoke(ctx)
        except UnusableSettings as exc:
            raise BadUsage(str(exc)) from exc
        except GatewayError as exc:
            at = getattr(exc, "at", "")
            raise Refusal(f"{at}: {exc}" if at else str(exc)) from exc


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
