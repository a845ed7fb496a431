"""Every door by which somebody sees or changes something leaves an audit row, or is on a list with the reason.

The doors: the commands, and the services that write; those of HTTP are in `web/test_audit_doors.py`. A new one fails
here until it records what it does, or somebody has written down why it need not.
"""

import ast
import functools
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli.commands import COMMANDS

ROOT = Path(__file__).parents[3]
_SERVICES = ROOT / "gateway" / "services"
_RECORDERS = frozenset(
    (
        *("audit.record", "audit.record_of_case", "audit.record_of_delivery", "record_look", "looking.record_look"),
        *("record_denial", "record_refusal", "viewing.record", "resource_transaction.record"),
    )
)

PROGRAMS = "starts a program; what that does is recorded by itself"
IDS_ONLY = "a list of ids, states, times and names of parties: nothing of a patient"
ABOUT_MACHINES = "about this machine, the settings or the stores: nothing of a patient"
OF_COMMANDS = {
    **dict.fromkeys(("up", "web", "dicom-node", "worker", "demo"), PROGRAMS),
    **dict.fromkeys(("db upgrade", "doctor", "backup verify", "endpoint test"), ABOUT_MACHINES),
    **dict.fromkeys(
        (
            *("case list", "case destroyed", "study list", "delivery list", "recall list", "job list"),
            *("quarantine list", "document list", "clinic list", "reviewer list", "endpoint list", "client list"),
            *("clinic show", "reviewer show", "endpoint show", "client show", "user show"),
            *("user list", "transfer list"),
        ),
        IDS_ONLY,
    ),
    "audit verify": "tells whether the trail is whole, and shows none of its rows",
    "audit anchor": "writes a digest of the trail",
}
"""Commands that leave no row, and why."""

OF_SERVICES = {
    "anchoring": "writes a digest of the trail",
    "audit_export": "what it sends is the trail",
    "consents": "the decision is a row of its own; whoever asked for it records what came of it",
    "destinations": "whether a destination answers",
    "document_release": "what may leave is recorded as it is decided (`egress`)",
    "people/delays": "how often a name or an address has tried; each sign-in that fails is recorded",
    "published_keys": "a copy of what a client publishes",
    "recheck": "by `egress.decide` and `recall.withdraw`",
    "representation": "by `revocation.consent_changed`",
    "to_reviewer": "how far a delivery has come; its grant and its end are recorded",
    "one_key": "the fingerprint of the key, by the program itself",
    "one_store": "the mark of the blob store, by the program itself",
    "recurring": "when work comes again",
    "resource_reading": "by `resource_transaction.record`",
    "resources": "by `resource_transaction.record`",
    "work": "the claim, lease and end of a job; one that gave up is recorded",
}
"""Modules with transactions that leave no row of their own, and why."""


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for below, inner in command.commands.items():
            yield from _commands(inner, f"{name} {below}")
    else:
        yield name, command


@functools.cache
def _every_command() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, entry in COMMANDS.items():
        module = importlib.import_module(f"gateway.cli.{entry.module}")
        found |= dict(_commands(getattr(module, name.replace("-", "_")), name))
    return found


def _called(tree: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _says_who_asks(command: click.Command) -> bool:
    """A service that is told who asks records it: `actor` has no other use there."""
    assert command.callback is not None
    function = inspect.unwrap(command.callback)
    tree = ast.parse(Path(function.__code__.co_filename).read_text(encoding="utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    own = functions[function.__name__]
    near = [own, *(functions[name] for name in _called(own) if name in functions)]
    return any(
        isinstance(node, ast.Attribute) and ast.unparse(node) == "office.actor"
        for one in near
        for node in ast.walk(one)
    )


@pytest.mark.parametrize("name", sorted(_every_command()))
def test_every_command_leaves_a_row_or_says_why_not(name: str) -> None:
    leaves_one = _says_who_asks(_every_command()[name])
    assert leaves_one != (name in OF_COMMANDS), f"{name}: a row {'and' if leaves_one else 'nor'} a reason"


def test_the_reasons_are_of_commands_that_there_are() -> None:
    assert OF_COMMANDS.keys() <= _every_command().keys()


@functools.cache
def _writing_services() -> dict[str, ast.Module]:
    trees = {
        file.relative_to(_SERVICES).with_suffix("").as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in sorted(_SERVICES.rglob("*.py"))
    }
    return {name: tree for name, tree in trees.items() if any(one.endswith("database.write") for one in _called(tree))}


@pytest.mark.parametrize("name", sorted(_writing_services()))
def test_every_service_that_commits_leaves_rows_or_says_why_not(name: str) -> None:
    called = _called(_writing_services()[name])
    leaves_one = bool(called & _RECORDERS) or any(one.startswith(("_record", "_audit")) for one in called)
    assert leaves_one or name in OF_SERVICES, name
