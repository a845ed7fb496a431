"""Every door by which somebody sees or changes something leaves an audit row, or is on a list with the reason.

The doors: the commands, and the services that write; those of HTTP are in `web/test_audit_doors.py`. A new one fails
here until it records what it does, or somebody has written down why it need not.
"""

import ast
import functools
import inspect
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from tests.surface import every_command

ROOT = Path(__file__).parents[3]
_SERVICES = ROOT / "gateway" / "services"
_RECORDERS = frozenset(
    (
        *("audit.record", "audit.record_of_case", "audit.record_of_delivery", "record_look", "looking.record_look"),
        *("record_denial", "record_refusal", "looking.record_view", "resource_transaction.record"),
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
    "audit_export": "what it sends is the trail",
    "indexing": "what resources are found by; nothing that was not stored before",
    "people/sessions:recognise": "when a session was last seen; its begin and end are recorded",
    "people/sign_in:_rehash": "the same password under newer parameters",
    "release:_permitted_delivery": "what may leave is recorded as it is decided (`egress`)",
    "rendering:_open_deliveries": "what may leave is recorded as it is decided (`egress`)",
    "retention:closed": "since when there is a period; each destruction is recorded",
    "destinations": "whether a destination answers",
    "document_release": "what may leave is recorded as it is decided (`egress`)",
    "people/delays": "how often a name or an address has tried; each sign-in that fails is recorded",
    "published_keys": "a copy of what a client publishes",
    "recheck": "by `egress.decide` and `recall.withdraw`",
    "representation": "by `revocation.consent_changed`",
    "to_reviewer": "how far a delivery has come; its grant and its end are recorded",
    "one_store": "the mark of the blob store, by the program itself",
    "recurring": "when work comes again",
    "resource_reading": "by `resource_transaction.record`",
    "resources": "by `resource_transaction.record`",
    "work": "the claim, lease and end of a job; one that gave up is recorded",
}
"""Modules, or functions of one, with transactions that leave no row of their own, and why."""


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


@pytest.mark.parametrize("name", sorted(every_command()))
def test_every_command_leaves_a_row_or_says_why_not(name: str) -> None:
    leaves_one = _says_who_asks(every_command()[name])
    assert leaves_one != (name in OF_COMMANDS), f"{name}: a row {'and' if leaves_one else 'nor'} a reason"


def test_the_reasons_are_of_commands_that_there_are() -> None:
    assert OF_COMMANDS.keys() <= every_command().keys()


@functools.cache
def _writers() -> dict[str, bool]:
    """module:function of each service that begins a transaction -> whether it records, itself or by its own module."""
    found: dict[str, bool] = {}
    for file in sorted(_SERVICES.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = {one.name: _called(one) for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}
        module = file.relative_to(_SERVICES).with_suffix("").as_posix()
        for name, called in functions.items():
            if any(one.endswith("database.write") for one in called):
                found[f"{module}:{name}"] = _records(name, functions, frozenset())
    return found


def _records(name: str, functions: Mapping[str, set[str]], seen: frozenset[str]) -> bool:
    if functions[name] & _RECORDERS:
        return True
    near = {called.removeprefix("self.") for called in functions[name]} & functions.keys() - seen - {name}
    return any(_records(one, functions, seen | {name}) for one in near)


@pytest.mark.parametrize("name", sorted(_writers()))
def test_every_service_that_commits_leaves_rows_or_says_why_not(name: str) -> None:
    has_reason = name in OF_SERVICES or name.partition(":")[0] in OF_SERVICES
    assert _writers()[name] or has_reason, name


def test_the_reasons_are_of_services_that_there_are() -> None:
    assert OF_SERVICES.keys() <= {part for name in _writers() for part in (name, name.partition(":")[0])}
