"""What leaves the gateway, found in its syntax trees and held to the table `gateway.domain.exits`.

`python -m tests.exits` prints each violation; `make check` runs it. What it forbids:

- a library that can send, or a call by which something leaves, where the table has no door;
- a call of an adapter in the services that is not handed the permission, or an object that is sent without having asked
  for it just before: on the same way, in the same round of a loop, and after whatever was sent before;
- a permission or a grant that is made elsewhere than where it is decided on;
- an adapter that lets a query or a request out without asking;
- what `tests.modules` has no place for: other libraries, other programs, files and answers by no door of the table.

`tests.surface` compares the table with the endpoints and the commands that there are.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from gateway.domain.exits import EXITS, Ground, exits_through
from gateway.services.outside import Outside
from tests import modules
from tests.hooks import DEPARTURES, DOORS, Violation, calls, is_departure, names_of, nodes, spelt, trees

SERVICES = "gateway/services/"
_OPENER = "open_sender"
_STAYS = frozenset(("render", "look_again_after_s"))
ADAPTERS = frozenset(Outside.__dataclass_fields__) - _STAYS - {_OPENER}
"""What `Outside` has that sends, whatever it is called where it is used; a new one is taken to send."""

MADE_AT = {
    "Permission": ("gateway/services/delivery.py", "send"),
    "EgressGrant": ("gateway/services/egress.py", "_granted"),
    "add_grant": ("gateway/services/egress.py", "_granted"),
    "add_read_grant": ("gateway/services/review_grant.py", "_disclose"),
}
"""What gives leave to send -> the one function that makes it, straight from a decision."""

IMPORTED_BY = {
    "fhir_mappings.reviewed": "gateway/services/review_view.py",
    "gateway.services.review_view.viewed": "gateway/services/review.py",
    "workers.ehr.exchange.exchange": "workers/ehr/client.py",
}
"""What shows something of a patient to another party, or lets a request out -> who alone imports it, and asks first."""

_ABOUT_NOBODY = frozenset(("metadata",))
"""Paths that an EHR is asked for without a grant."""
_ASKS = {
    "dicom_node/scu/": ("send_c_find", "before_send"),
    "dicom_node/scu/sender.py": ("send_c_store", "before_send"),
    "workers/ehr/client.py": ("exchange", "self._before_send"),
}
"""Adapter -> the call that lets something out, and what it has to call just before."""
_OF_TOKENS = "_fetch_token"
_WORDS = frozenset(
    (*ADAPTERS, _OPENER, *MADE_AT, *(one.method for one in DEPARTURES), *(leaving for leaving, _ in _ASKS.values()))
) | {"is_about_nobody"}
"""A module without any of these lets nothing out."""


@dataclass(frozen=True)
class _Function:
    """A function, or what a module does itself; `own` are its nodes without those of functions inside it."""

    path: str
    name: str
    node: ast.AST
    own: tuple[ast.AST, ...]
    parents: dict[int, ast.AST]

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What stands around the node, from the inside to the function."""
        while node is not self.node:
            node = self.parents[id(node)]
            yield node

    @property
    def calls(self) -> list[ast.Call]:
        """Those that it makes itself."""
        return [one for one in self.own if isinstance(one, ast.Call)]


def violations(root: Path) -> list[Violation]:
    """What breaks the rule in the code below `root`."""
    found = list(modules.violations(root))
    for path, tree in trees(root):
        found += _unknown_doors(path, tree)
        if not _WORDS & _words(tree):
            continue
        found += _made_elsewhere(path, tree)
        for function in _functions(path, tree):
            found += _unlisted_departures(function)
            found += _unasked_adapters(function)
            if path.startswith(SERVICES):
                found += _unasked_services(function)
    return found


def doors_that_are_not_there(root: Path) -> list[str]:
    """Doors of the table that the code below `root` does not have."""
    known = dict(trees(root))
    defined = [(path, one) for path, tree in known.items() for one in nodes(tree) if isinstance(one, ast.FunctionDef)]
    functions = {f"{path}:{one.name}" for path, one in defined}
    there = functions | set(known) | {f"{parent.as_posix()}/" for path in known for parent in Path(path).parents}
    return [door for one in EXITS for door in one.doors if door not in there]


def _unknown_doors(path: str, tree: ast.Module) -> Iterator[Violation]:
    for node in nodes(tree):
        for name in names_of(node):
            library = next((one for one in DOORS if f"{name}.".startswith(f"{one}.")), "")
            if library and not exits_through(path):
                yield _at(path, node, f"{library} can send, and gateway.domain.exits has no exit here")
            owner = IMPORTED_BY.get(name, path)
            if path != owner:
                yield _at(path, node, f"{name} is imported by {owner} alone, which asks before anything leaves")


def _made_elsewhere(path: str, tree: ast.Module) -> Iterator[Violation]:
    inside = {id(one): function.name for function in _functions(path, tree) for one in function.own}
    for call in calls(tree):
        name = spelt(call.func).rpartition(".")[2]
        if name in MADE_AT and (path, inside.get(id(call))) != MADE_AT[name]:
            place = ":".join(MADE_AT[name])
            yield _at(path, call, f"{name}() gives leave to send, and is called in {place} alone")


def _unlisted_departures(function: _Function) -> Iterator[Violation]:
    """A send of the services is a door of its own; others may be those of their module."""
    for call in function.calls:
        if any(is_departure(function.path, call, one) for one in DEPARTURES):
            name = "" if not function.path.startswith(SERVICES) else function.name
            if not exits_through(function.path, name):
                yield _at(function.path, call, f"{spelt(call.func)}() sends, and gateway.domain.exits has no exit here")


def _unasked_services(function: _Function) -> Iterator[Violation]:
    for node in function.own:
        if not isinstance(node, ast.Attribute):
            continue
        parent = function.parents[id(node)]
        call = parent if isinstance(parent, ast.Call) and parent.func is node else None
        if node.attr in ADAPTERS:
            yield from _unasked(function, node, call, is_asked=call is not None and _hands_permission(call))
        elif node.attr == _OPENER and not isinstance(function.parents[id(parent)], ast.withitem):
            yield _at(function.path, node, "an association is opened by `with`, where its objects are sent")
        elif node.attr == "send":
            yield from _unasked(function, node, call, is_asked=call is not None and _is_just_asked(function, call))


def _unasked(function: _Function, node: ast.Attribute, call: ast.Call | None, *, is_asked: bool) -> Iterator[Violation]:
    if call is None:
        yield _at(function.path, node, f"{spelt(node)} is handed on, so that nobody sees who asks for permission")
    elif not is_asked:
        yield _at(function.path, node, f"{spelt(node)}() lets something out without asking for permission just before")
    elif not any(one.ground is Ground.GRANT for one in exits_through(function.path, function.name)):
        yield _at(function.path, node, f"{spelt(node)}() lets something out by no door of gateway.domain.exits")


def _hands_permission(call: ast.Call) -> bool:
    """`before_send=partial(....permission.require, payload)`."""
    handed = _handed(call)
    is_partial = isinstance(handed, ast.Call) and spelt(handed.func) == "partial" and len(handed.args) == 2
    return is_partial and isinstance(handed, ast.Call) and _is_of_permission("require", handed.args[0])


def _handed(call: ast.Call) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == "before_send"), None)


def _is_of_permission(method: str, node: ast.expr) -> bool:
    return spelt(node).rpartition(".")[2] == method and "permission" in spelt(node).split(".")


def _is_just_asked(function: _Function, call: ast.Call) -> bool:
    """Every way to it passes `permission.require(...)`, or `leave = permission.ask(...)` where `before_send=leave`."""
    return _passes_before(function, call, partial(_is_asking, getattr(_handed(call), "id", "")))


def _is_asking(answer: str, node: ast.AST) -> bool:
    asking = node.value if isinstance(node, ast.Assign) and [spelt(one) for one in node.targets] == [answer] else node
    return isinstance(asking, ast.Call) and _is_of_permission("require" if asking is node else "ask", asking.func)


def _passes_before(function: _Function, call: ast.Call, is_asking: Callable[[ast.AST], bool]) -> bool:
    """A statement that stands before the call, in a block around it and in the same round of a loop, asks."""
    inner: ast.AST = call
    for outer in function.above(call):
        for block in _blocks(outer):
            if inner in block:
                before = block[: block.index(inner)]
                for statement in reversed(before):
                    if is_asking(statement.value if isinstance(statement, ast.Expr) else statement):
                        return True
                    if _leaves(statement):
                        return False
        if isinstance(outer, ast.For | ast.While | ast.Lambda | ast.comprehension | ast.AsyncFor):
            return False
        inner = outer
    return False


def _blocks(node: ast.AST) -> list[list[ast.AST]]:
    """The lists of statements that it has."""
    fields = (getattr(node, name, None) for name in ("body", "orelse", "finalbody", "handlers"))
    return [list(field) for field in fields if isinstance(field, list)]


def _leaves(statement: ast.AST) -> bool:
    """Something is sent in it, so that what was asked before counts no more."""
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and (one.func.attr in ADAPTERS or one.func.attr in ("send", "send_c_find", "exchange"))
        for one in nodes(statement)
    )


def _unasked_adapters(function: _Function) -> Iterator[Violation]:
    for where, (leaving, asking) in _ASKS.items():
        if function.path.startswith(where) and function.name != _OF_TOKENS:
            for call in [one for one in function.calls if spelt(one.func).rpartition(".")[2] == leaving]:
                if not _is_asked_before(function, call, asking):
                    yield _at(function.path, call, f"{leaving}() lets something out without {asking}() just before")
    if function.path.startswith("workers/ehr/"):
        yield from _about_nobody(function)


def _is_asked_before(function: _Function, call: ast.Call, asking: str) -> bool:
    is_asked = _passes_before(function, call, partial(_is_call_of, asking))
    return is_asked or _is_asked_unless_about_nobody(function, asking)


def _is_call_of(name: str, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and spelt(node.func) == name


def _is_asked_unless_about_nobody(function: _Function, asking: str) -> bool:
    """`if not call.is_about_nobody: ask()`, as a statement of the function's own."""
    return any(
        isinstance(one, ast.If)
        and isinstance(one.test, ast.UnaryOp)
        and isinstance(one.test.op, ast.Not)
        and spelt(one.test.operand) == "call.is_about_nobody"
        and any(isinstance(each, ast.Expr) and _is_call_of(asking, each.value) for each in one.body)
        for one in getattr(function.node, "body", [])
    )


def _about_nobody(function: _Function) -> Iterator[Violation]:
    """Only what is asked of every EHR in the same words may leave without a grant."""
    for call in function.calls:
        if any(one.arg == "is_about_nobody" for one in call.keywords):
            path = call.args[1].value if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) else None
            if path not in _ABOUT_NOBODY:
                yield _at(function.path, call, "what leaves without a grant is one of _ABOUT_NOBODY, spelt in place")


@cache
def _functions(path: str, tree: ast.Module) -> list[_Function]:
    functions = [one for one in nodes(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    parents = {id(child): parent for parent in nodes(tree) for child in ast.iter_child_nodes(parent)}
    whole = _Function(path, "<module>", tree, tuple(_own(tree)), parents)
    return [whole, *(_Function(path, one.name, one, tuple(_own(one)), parents) for one in functions)]


def _words(tree: ast.Module) -> set[str]:
    """Attributes, names and keywords in it."""
    found = (getattr(one, "attr", None) or getattr(one, "id", None) or getattr(one, "arg", None) for one in nodes(tree))
    return {one for one in found if isinstance(one, str)}


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What is in it and in no function inside it; a context (Load, Store) is no node of its own."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr_context):
            yield child
            yield from _own(child)


def _at(path: str, node: ast.AST, sentence: str) -> Violation:
    return Violation(path, getattr(node, "lineno", 1), sentence)


def main() -> int:
    """Print what violates the rule in this repository; the exit code of the check."""
    root = Path(__file__).parents[1]
    found = [
        *map(str, violations(root)),
        *(f"{door}: there is no such door" for door in doors_that_are_not_there(root)),
    ]
    sys.stderr.writelines(f"{sentence}\n" for sentence in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
