"""docs/operations.md speaks of every alert, and of commands and settings that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from config.settings import setting_names
from gateway.cli.commands import Commands
from tests.peers.compose import BASE, compose

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALERTS = YAML(typ="safe", pure=True).load(ROOT / "docker" / "alerts.yaml")
BLOCKS = "\n".join(re.findall(r"^```\n(.*?)^```$", PAGE, re.M | re.S))
LINES = [line.partition(" #")[0].rstrip() for line in BLOCKS.splitlines() if line.startswith("consilium ")]
COMMANDS = sorted({*re.findall(r"`(consilium [^`]+)`", PAGE), *LINES})
SERVICES = compose(BASE)["services"]
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
    options = {name for one in found.params for name in one.opts}
    assert {word for word in words if word.startswith("--")} <= options, command


def test_docker_is_asked_for_services_that_there_are() -> None:
    asked = re.findall(r"docker compose ((?:-f \S+ )+)(up|run|stop)([^`'\n]*)", PAGE)
    assert {verb for _, verb, _ in asked} == {"up", "run", "stop"}
    for files, _verb, words in asked:
        assert all((ROOT / file).is_file() for file in re.findall(r"-f (\S+)", files))
        named = [word.partition("=")[0] for word in words.split() if not word.startswith("-")]
        assert named
        assert set(named) <= SERVICES.keys()


def test_a_file_of_a_command_lies_in_a_mount_of_the_container_that_runs_it() -> None:
    paths = sorted({word for line in LINES for word in shlex.split(line) if word.startswith("/")})
    assert paths
    for path in paths:
        assert any(path.startswith(f"{target}/") for target in mounted("admin")), path
        if not path.startswith("/mnt/backup/"):  # an endpoint's: the workers read it when they send
            assert any(path.startswith(f"{target}/") for target in mounted("worker")), path


def test_a_folder_of_the_host_that_is_mounted_has_its_owner_named() -> None:
    folders = [mount for mount in SERVICES["admin"]["volumes"] if isinstance(mount, dict)]
    for mount in folders:
        folder = re.sub(r"\$\{\w+:-(.*)\}", r"\1", mount["source"]).removeprefix("./")
        assert re.search(rf"^sudo install .*-o 10001 .* docker/{folder}\b", BLOCKS, re.M), folder
        assert f"`docker/{folder}`" in PAGE


def test_who_scrapes_joins_the_networks_where_it_finds_the_programs() -> None:
    for name, port in (("web", 8080), ("dicom-node", 9464), ("worker", 9464)):
        [network] = re.findall(rf"`consilium_(\w+)` for [^`]*(?:`[\w:-]+` and )?`{name}:{port}`", PAGE)
        assert network in SERVICES[name]["networks"]


def mounted(service: str) -> list[str]:
    return [mount["target"] for mount in SERVICES[service]["volumes"] if isinstance(mount, dict)]


@pytest.mark.parametrize("setting", [name for name in NAMED if name.partition(".")[0] in GROUPS])
def test_the_setting_is_there(setting: str) -> None:
    assert setting in KNOWN
