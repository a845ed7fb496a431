"""Which commands there are. A command's module is imported when the command is run or its own help is asked.

A list loads no mapping: a service that stands on one is imported inside the command that calls it.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import click

from config.errors import UnusableSettings
from gateway.domain.errors import GatewayError

USAGE = 2


@dataclass(frozen=True)
class Entry:
    """Where a command is in this package, and its line in the list of commands."""

    module: str
    summary: str


COMMANDS = {
    "up": Entry("programs", "Bring the database up to date, then run web, DICOM node and worker until Ctrl-C."),
    "web": Entry("programs", "Run the HTTP server."),
    "dicom-node": Entry("programs", "Run the DICOM node."),
    "worker": Entry("programs", "Run the worker: what arrived is matched, de-identified, rendered and delivered."),
    "db": Entry("programs", "The database."),
    "demo": Entry("programs", "Play the hospital, the reviewer and the EHR against a gateway of its own."),
    "doctor": Entry("doctor", "Check this machine and the settings; each finding says its remedy."),
    "clinic": Entry("parties", "Clinics that order opinions: their PACS, their EHR."),
    "reviewer": Entry("parties", "Reviewers, and the DICOM node their cases are sent to."),
    "endpoint": Entry("endpoints", "Where clinics and reviewers are reached; changes take effect without a restart."),
    "client": Entry("clients", "Programs that may call /fhir on behalf of a clinic or a reviewer."),
    "user": Entry("users", "People who sign in with a browser, and their roles."),
    "case": Entry("cases", "Orders for a second opinion."),
    "study": Entry("studies", "Studies that were received."),
    "consent": Entry("consents", "Consents of the patients."),
    "transfer": Entry("transfers", "On what a clinic's data may go to a recipient in another country."),
    "delivery": Entry("deliveries", "Studies and documents to reviewers, reports to clinics."),
    "recall": Entry("recalls", "What a coordinator has to ask back from a recipient."),
    "job": Entry("jobs", "Background work that gave up; what failed while being sent is a delivery."),
    "quarantine": Entry("quarantine", "Studies and objects that wait for a person."),
    "document": Entry("documents", "Documents of the cases, such as pathology reports."),
    "audit": Entry("audit", "The audit trail."),
    "backup": Entry("backup", "Backups: the database, every object, document and report, and the pseudonym key."),
}


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
        module = importlib.import_module(f"gateway.cli.{COMMANDS[cmd_name].module}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing what it names."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a GatewayError ends with 1, unusable settings with 2."""
        try:
            return super().invoke(ctx)
        except UnusableSettings as exc:
            raise BadUsage(str(exc)) from exc
        except GatewayError as exc:
            at = getattr(exc, "at", "")
            raise Refusal(f"{at}: {exc}" if at else str(exc)) from exc
