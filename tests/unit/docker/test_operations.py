"""docs/operations.md speaks of every alert, and of commands and settings that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from config.settings import setting_names
from gateway.cli.commands import Commands

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALERTS = YAML(typ="safe", pure=True).load(ROOT / "docker" / "alerts.yaml")
COMMANDS = sorted(set(re.findall(r"`(consilium [^`]+)`", PAGE)))
KNOWN = {".".join(name) for name in setting_names()}
GROUPS = {name.partition(".")[0] for name in KNOWN if "." in name}
NAMED = sorted(set(re.findall(r"`([a-z]+\.[a-z_]+)(?: = [^`]+)?`", PAGE)))


def test_every_alert_has_a_line_that_says_what_to_do() -> None:
    alerts = [rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]]
    assert re.findall(r"^\| (Consilium\w+) \|", PAGE, re.M) == alerts


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_is_there(command: str) -> None:
    _program, *words = shlex.split(command)
    found: click.Command | None = Commands()
    context = click.Context(Commands())
    while isinstance(found, click.Group) and words and words[0].islower():
        found = found.get_command(context, words.pop(0))
    assert found is not None, command
    assert not isinstance(found, click.Group) or not words, command


@pytest.mark.parametrize("setting", [name for name in NAMED if name.partition(".")[0] in GROUPS])
def test_the_setting_is_there(setting: str) -> None:
    assert setting in KNOWN
