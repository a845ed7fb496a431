"""What people and programs can ask for: the endpoints of the web, and the commands. Held to `gateway.domain.exits`."""

import functools
import importlib
from collections.abc import Iterable, Iterator

import click
from flask import Flask

from gateway.cli.commands import COMMANDS
from gateway.domain.exits import EXITS


@functools.cache
def every_command() -> dict[str, click.Command]:
    """Each command that does something, by its words."""
    found: dict[str, click.Command] = {}
    for name, entry in COMMANDS.items():
        module = importlib.import_module(f"gateway.cli.{entry.module}")
        found |= dict(_commands(getattr(module, name.replace("-", "_")), name))
    return found


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for below, inner in command.commands.items():
            yield from _commands(inner, f"{name} {below}")
    else:
        yield name, command


def unknown_endpoints(application: Flask) -> list[str]:
    """Those that stand in no entry of the table, and those of the table that are not there."""
    there = {rule.endpoint for rule in application.url_map.iter_rules()}
    return _apart(there, {name for one in EXITS for name in one.endpoints})


def unknown_commands(commands: Iterable[str]) -> list[str]:
    """The same of commands."""
    return _apart(set(commands), {name for one in EXITS for name in one.commands})


def _apart(there: set[str], listed: set[str]) -> list[str]:
    return sorted(there ^ listed)
