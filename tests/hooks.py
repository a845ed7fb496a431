"""The hooks of the code, found in its syntax trees, and what commits, sends or acknowledges without one.

`python -m tests.hooks` prints each violation and fails on the first run that has one; `make check` runs it.

A commit is a `with ....write("name")` of the database; nothing else may begin, commit or open an engine. What leaves
the process is one of the calls in `DEPARTURES`: in the same function a hook `<what>.before_<send|ack>` stands before it
and `<what>.after_<send|ack>` behind it, or the function is a door, whose callers are departures themselves. A library
that can send is imported only where `DOORS` says, so that there is no other call.
"""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

PACKAGES = ("gateway", "workers", "dicom_node")
PROGRAMS = {"web": "gateway.app", "dicom-node": "dicom_node.app", "worker": "workers.app"}
"""A program's name -> its composition root."""

ENGINE = "gateway/store/engine.py"
_MIGRATIONS = "gateway/store/migrations/"
_DEMO = "gateway/demo/"
_NAME = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_-]*|intake")
_REACHED = re.compile(r"[a-z][a-z_.]*\.(before|after)_(send|ack)")
_RAW_METHODS = frozenset({"begin", "begin_nested", "commit"})


@dataclass(frozen=True)
class Departure:
    """A call by which something leaves: `receiver.method`, where `receiver` '' stands for any, in files below `where`.

    `door` is the one function in which it may stand without hooks of its own.
    """

    where: str
    receiver: str
    method: str
    what: str = "send"
    door: str = ""


DEPARTURES = (
    Departure("dicom_node/scu/", "", "send_c_store", door="_store"),
    Departure("dicom_node/scu/", "", "send_c_find"),
    Departure("dicom_node/scp/", "", "encode_response", "ack"),
    Departure("gateway/services/", "sender", "send"),
    Departure("gateway/services/", "outside", "deliver_report", door="send_to_ehr"),
    Departure("workers/ehr/", "client", "send"),
    Departure("gateway/openid/", "client", "send"),
    Departure("workers/", "", "apply_async"),
    Departure("workers/syslog/", "stream", "sendall"),
    Departure("gateway/web/", "response", "call_on_close", "ack"),
)
_BY_NONE = (
    "aiohttp", "asyncio", "ftplib", "httpcore", "requests", "smtplib", "socketserver", "urllib.request", "urllib3",
)  # fmt: skip
DOORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_BY_NONE, ()),
    "celery": ("workers/",),
    "http.client": ("gateway/cli/probes.py",),
    "httpx": ("workers/ehr/", "gateway/deadline.py", "gateway/key_host.py", "gateway/openid/"),
    "kombu": ("workers/", "gateway/cli/worker_checks.py"),
    "obstore": ("gateway/store/blobs_s3.py", "gateway/store/bucket.py"),
    "opentelemetry": ("gateway/telemetry.py",),
    "pynetdicom": ("dicom_node/scp/", "dicom_node/scu/"),
    "socket": ("dicom_node/scp/", "dicom_node/scu/", "gateway/reachability.py", "gateway/cli/checks.py",
               "gateway/cli/probes.py", "gateway/deadline.py", "workers/presence.py", "workers/syslog/"),
    "subprocess": ("gateway/cli/checks.py",),
}  # fmt: skip
"""What can talk to others -> the modules that may import it: adapters with departures, and who only looks."""
_REQUIRED = (("gateway/web/application.py", "acknowledging.register"),)
"""What a file has to call: every Flask application acknowledges with hooks."""


@dataclass(frozen=True)
class Hook:
    """A pair of hooks: `name` + `.before_` or `.after_` + `what`, in the module of that dotted name."""

    name: str
    what: str
    module: str

    @property
    def both(self) -> tuple[str, str]:
        return f"{self.name}.before_{self.what}", f"{self.name}.after_{self.what}"


@dataclass(frozen=True)
class Violation:
    """Something that commits, sends or acknowledges unseen."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}"


@functools.cache
def hooks_of(root: Path) -> tuple[Hook, ...]:
    """Every pair of hooks in the code below `root`, each once a module, in the order of the files."""
    found: dict[Hook, None] = {}
    for path, tree in trees(root):
        module = module_of(path)
        for transaction in _transactions(tree):
            if (name := _literal(transaction)) is not None:
                found[Hook(name, "commit", module)] = None
        for _, name in _reached(tree):
            if _REACHED.fullmatch(name):
                stem, _, when = name.rpartition(".")
                found[Hook(stem, when.partition("_")[2], module)] = None
    return tuple(found)


def hooks_of_program(root: Path, program: str) -> list[Hook]:
    """The hooks in the modules which that program can import; it need not pass all of them."""
    modules = {module_of(path): tree for path, tree in trees(root)}
    reachable, ahead = set[str](), [PROGRAMS[program]]
    while ahead:
        module = ahead.pop()
        if module in modules and module not in reachable:
            reachable.add(module)
            ahead += _imported(modules[module])
    return [hook for hook in hooks_of(root) if hook.module in reachable]


def violations(root: Path) -> list[Violation]:
    """What breaks the rule in the code below `root`."""
    found: list[Violation] = []
    for path, tree in trees(root):
        if path != ENGINE:
            found += _hidden_commits(path, tree)
        found += _hidden_departures(path, tree)
        found += _hidden_doors(path, tree)
        for where, call in _REQUIRED:
            if path == where and not any(spelt(one.func) == call for one in calls(tree)):
                found.append(Violation(path, 1, f"{call}() is not called, so that answers leave without a hook"))
    return found


@functools.cache
def trees(root: Path) -> tuple[tuple[str, ast.Module], ...]:
    """Path and syntax tree of each file below `root`, read once in a process."""
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    paths = {file.relative_to(root).as_posix(): file for file in files}
    return tuple(
        (path, ast.parse(file.read_text(encoding="utf-8")))
        for path, file in paths.items()
        if not path.startswith((_MIGRATIONS, _DEMO))
    )


def module_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@functools.cache
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree))


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in nodes(tree) if isinstance(node, ast.Call)]


def _transactions(tree: ast.AST) -> list[ast.Call]:
    """What is entered by `with X.write(...)`."""
    return [
        item.context_expr
        for node in nodes(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.context_expr, ast.Call)
        and isinstance(item.context_expr.func, ast.Attribute)
        and item.context_expr.func.attr == "write"
    ]


def _hidden_commits(path: str, tree: ast.Module) -> Iterator[Violation]:
    entered = _transactions(tree)
    for call in entered:
        if _literal(call) is None:
            yield Violation(path, call.lineno, 'a transaction is named in place, write("noun.verb"), for its hooks')
    ours = {alias.asname or alias.name for node in nodes(tree) if _is_own_import(node) for alias in node.names}
    for call in calls(tree):
        name = spelt(call.func)
        receiver, _, method = name.rpartition(".")
        is_raw = method in _RAW_METHODS and receiver and name.partition(".")[0] not in ours
        if is_raw or method == "create_engine":
            yield Violation(path, call.lineno, f"{name}() commits past the hooks of Database.write")
        if name.endswith("database.write") and call not in entered:
            yield Violation(path, call.lineno, "a transaction is entered where it is named, by `with`")


def _is_own_import(node: ast.AST) -> TypeGuard[ast.ImportFrom]:
    """An import of our own: the functions of our modules may be called begin."""
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PACKAGES


def _hidden_departures(path: str, tree: ast.Module) -> Iterator[Violation]:
    for function in [node for node in nodes(tree) if isinstance(node, ast.FunctionDef)]:
        inner = {
            id(node) for one in nodes(function) if one is not function and _is_function(one) for node in nodes(one)
        }
        own = [call for call in calls(function) if id(call) not in inner]
        reached = [(line, name) for line, name in _reached(function) if _REACHED.fullmatch(name)]
        for call in own:
            for departure in DEPARTURES:
                if is_departure(path, call, departure) and function.name != departure.door:
                    yield from _unhooked(path, call, departure, reached)


def _hidden_doors(path: str, tree: ast.Module) -> Iterator[Violation]:
    for node in nodes(tree):
        for library in {
            library for library in DOORS for name in names_of(node) if f"{name}.".startswith(f"{library}.")
        }:
            if not path.startswith(DOORS[library]):
                assert isinstance(node, ast.stmt)
                yield Violation(path, node.lineno, f"{library} can send, and is imported by its doors alone")


def _unhooked(path: str, call: ast.Call, departure: Departure, reached: list[tuple[int, str]]) -> Iterator[Violation]:
    before = {name for line, name in reached if line <= call.lineno and f".before_{departure.what}" in name}
    after = {name for line, name in reached if line >= call.lineno and f".after_{departure.what}" in name}
    if departure.method == "call_on_close":  # what is called at the end of the answer reaches the other hook
        after = {name.replace(".before_", ".after_") for name in before}
    if not any(name.replace(".before_", ".after_") in after for name in before):
        yield Violation(path, call.lineno, f"{spelt(call.func)}() leaves the process without hooks around it")


def is_departure(path: str, call: ast.Call, departure: Departure) -> bool:
    receiver, _, method = spelt(call.func).rpartition(".")
    is_there = path.startswith(departure.where) and method == departure.method
    return is_there and departure.receiver in ("", receiver.rpartition(".")[2])


def _reached(tree: ast.AST) -> list[tuple[int, str]]:
    """Line and name of each hook that is reached by its literal name."""
    return [
        (call.lineno, name)
        for call in calls(tree)
        if spelt(call.func) in ("reach", "hooks.reach") and (name := _argument(call)) is not None
    ]


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in nodes(tree):
        yield from names_of(node)


def names_of(node: ast.AST) -> Iterator[str]:
    """The modules that it imports, and what of them, if it is an import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _literal(call: ast.Call) -> str | None:
    name = _argument(call)
    return name if name is not None and _NAME.fullmatch(name) else None


def _argument(call: ast.Call) -> str | None:
    """The one argument of a call, where it is a text in place."""
    if len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
        return call.args[0].value
    return None


def spelt(node: ast.expr) -> str:
    """`a.b.c` of a name with attributes; what cannot be spelt is '' in front."""
    if isinstance(node, ast.Attribute):
        return f"{spelt(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.Lambda)


def main() -> int:
    """Print what violates the rule in this repository; the exit code of the check."""
    found = violations(Path(__file__).parents[1])
    sys.stderr.writelines(f"{violation}\n" for violation in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
