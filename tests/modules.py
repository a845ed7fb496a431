"""What code may import and call, found in its syntax trees: what is not listed here fails (`python -m tests.exits`).

Libraries that send have doors of their own (`tests.hooks.DOORS`). Everything else that is not ours is listed: what
reaches nothing outside the process, anywhere; the rest, where it is needed. Code that is found by a name made while the
program runs could be any code, and another program can send: both are for named places.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gateway.domain.exits import exits_through
from tests.hooks import DOORS, Violation, calls, names_of, nodes, spelt, trees

_OURS = frozenset(("gateway", "workers", "dicom_node", "fhir_mappings", "config"))
_BESIDE = ("fhir_mappings", "config")
"""Packages of ours without hooks; they let nothing out either."""

ANYWHERE = frozenset(
    """
    base64 binascii collections collections.abc contextlib contextvars copy csv dataclasses datetime decimal difflib
    email.utils enum errno functools gc hashlib heapq hmac http importlib.metadata importlib.resources io ipaddress
    itertools json json.encoder logging math os pathlib platform random re secrets shlex signal stat struct sys
    threading time tomllib traceback types typing unicodedata urllib.parse uuid warnings zlib zoneinfo
    cryptography cryptography.exceptions cryptography.hazmat.primitives.* joserfc joserfc.errors joserfc.jwk joserfc.jws
    markupsafe structlog
    """.split()  # noqa: SIM905 - a list of 70 lines reads worse
)
"""`a.b` is that module alone, `a.*` also what is below."""

PLACES: dict[str, tuple[str, ...]] = {
    "PIL": ("workers/rendering/",),
    "_typeshed.wsgi": ("gateway/web/tracing.py",),
    "alembic.*": ("gateway/store/schema.py",),
    "argon2.*": ("gateway/services/people/",),
    "authlib.oauth2": ("gateway/openid/",),
    "authlib.oauth2.auth": ("gateway/openid/",),
    "authlib.oauth2.client": ("gateway/openid/",),
    "authlib.oidc.core": ("gateway/openid/",),
    "atexit": ("gateway/app.py",),
    "click": ("gateway/cli/",),
    "concurrent.futures": ("workers/",),
    "ctypes": ("gateway/supervisor.py",),
    "fcntl": ("dicom_node/scp/", "gateway/store/", "workers/syslog/"),
    "fhir.resources.R4B.*": ("fhir_mappings/",),
    "flask": ("gateway/web/", "gateway/app.py"),
    "getpass": ("gateway/cli/office.py",),
    "gunicorn.app.base": ("gateway/app.py",),
    "gunicorn.glogging": ("gateway/web/server_log.py",),
    "gzip": ("gateway/store/portable.py",),
    "importlib": ("config/settings.py", "gateway/cli/checks.py", "gateway/cli/commands.py"),
    "jinja2": ("gateway/web/application.py", "workers/rendering/"),
    "limits.*": ("gateway/minute.py",),
    "lxml": ("fhir_mappings/narrative.py", "workers/rendering/"),
    "mmap": ("dicom_node/",),
    "multiprocessing": ("gateway/supervisor.py",),
    "multiprocessing.context": ("gateway/supervisor.py",),
    "numpy": ("dicom_node/equivalence.py",),
    "prometheus_client": ("dicom_node/scp/metrics.py", "gateway/process.py", "gateway/web/", "workers/metrics.py"),
    "prometheus_client.core": ("gateway/",),
    "prometheus_client.exposition": ("gateway/web/metrics.py",),
    "prometheus_client.registry": ("gateway/",),
    "psycopg": ("gateway/store/held.py",),
    "pydantic": ("config/", "fhir_mappings/"),
    "pydantic_settings.*": ("config/",),
    "pydicom.*": ("dicom_node/",),
    "pyotp.*": ("gateway/services/people/",),
    "queue": ("dicom_node/scp/refusals.py",),
    "rich.*": ("gateway/cli/",),
    "segno": ("gateway/web/people/",),
    "shutil": (
        *("dicom_node/scp/", "gateway/disk_figures.py", "gateway/cli/checks.py", "gateway/cli/output.py"),
        "gateway/store/",
    ),
    "sqlalchemy.*": ("gateway/",),
    "sqlite3": ("gateway/store/engine.py",),
    "ssl": ("dicom_node/", "gateway/", "workers/"),
    "termios": ("workers/syslog/",),
    "tempfile": ("dicom_node/scu/", "gateway/services/sweeping.py", "gateway/store/"),
    "weasyprint": ("workers/rendering/",),
    "weasyprint.text.ffi": ("gateway/cli/checks.py",),
    "weasyprint.urls": ("workers/rendering/",),
    "werkzeug.datastructures": ("gateway/web/",),
    "werkzeug.exceptions": ("gateway/web/",),
    "werkzeug.http": ("gateway/web/",),
}  # fmt: skip
"""Module -> the files, or the folders, that may import it."""

_STARTS = r"system|popen|startfile|forkpty|(exec|spawn)[lv]p?e?|posix_spawnp?"
_FINDS_CODE = r"import_module|__import__|reload|exec_module|load_module|run_module|run_path|modules|__builtins__"
_SENDS = r"get_server_certificate|push(add)?_to_gateway|delete_from_gateway|HTTPHandler|SocketHandler|SysLogHandler"
_FOR_NAMED_PLACES = re.compile(f"{_STARTS}|{_FINDS_CODE}|{_SENDS}|DatagramHandler|SMTPHandler")
_ALSO_OF_IDENTIFIERS = "system"
_BUILT_IN = frozenset(("eval", "exec", "compile", "__import__", "__builtins__", "__loader__"))
NAMED_PLACES = {
    "import_module": ("gateway/cli/commands.py", "gateway/cli/checks.py"),
    "execv": ("gateway/cli/programs.py",),
}
"""A command's own module, and whether a library can be loaded; `consilium demo` turns into the program of that name."""

_HTTP_PAST_HOOKS = frozenset(("post", "patch", "stream", "request", "AsyncClient"))
_HTTP_OF_CLIENTS = frozenset(("get", "put", "delete", "head", "options"))
"""The same where it is called on httpx or on a client; others have methods of these names, too."""
_ONLY_GET = ("gateway/key_host.py",)
"""Doors about nobody: they ask, and bring nothing along."""
_WRITERS = frozenset(("write_bytes", "write_text", "fdopen", "open_file", "File", "copyfile", "copyfileobj", "copy2"))
_TEMPORARY = frozenset(("TemporaryFile", "NamedTemporaryFile", "mkstemp", "SpooledTemporaryFile"))
_ROUTES = frozenset(("add_url_rule", "route", "Blueprint"))


def violations(root: Path) -> Iterator[Violation]:
    """What breaks one of the lists in the code below `root`."""
    for path, tree in (*trees(root), *_trees_beside(root)):
        yield from _unlisted(path, tree)
        yield from _any_code(path, tree)
        yield from _past_the_hooks(path, tree)
        yield from _files_and_routes(path, tree)


@cache
def _trees_beside(root: Path) -> tuple[tuple[str, ast.Module], ...]:
    files = [file for package in _BESIDE for file in sorted((root / package).rglob("*.py"))]
    return tuple((file.relative_to(root).as_posix(), ast.parse(file.read_text(encoding="utf-8"))) for file in files)


def is_listed(module: str, path: str) -> bool:
    """Whether the file may import it; of what can send the doors are looked at elsewhere."""
    if module.partition(".")[0] in _OURS:
        return True
    if any(f"{module}.".startswith(f"{one}.") for one in DOORS):
        return not path.startswith(_BESIDE)
    parts = module.split(".")
    entries = [module, *(f"{'.'.join(parts[:count])}.*" for count in range(1, len(parts) + 1))]
    return any(one in ANYWHERE or path.startswith(PLACES.get(one, ("\0",))) for one in entries)


def _unlisted(path: str, tree: ast.Module) -> Iterator[Violation]:
    for node in nodes(tree):
        modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""] if not node.level else []
        for module in modules:
            if not is_listed(module, path):
                yield _at(path, node, f"{module} is not listed in tests.modules to be imported here")


def _any_code(path: str, tree: ast.Module) -> Iterator[Violation]:
    for node in nodes(tree):
        for name in _names(node):
            is_named = _FOR_NAMED_PLACES.fullmatch(name) or (isinstance(node, ast.Name) and name in _BUILT_IN)
            if is_named and not path.startswith(NAMED_PLACES.get(name, ("\0",))):
                yield _at(path, node, f"{name} runs what no check has seen, and tests.modules names no place for it")


def _names(node: ast.AST) -> Iterator[str]:
    """What the node calls by name: an attribute, a name, what it imports, what it gets by a text."""
    if isinstance(node, ast.Attribute) and (node.attr != _ALSO_OF_IDENTIFIERS or spelt(node.value) == "os"):
        yield node.attr
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == _ALSO_OF_IDENTIFIERS:
        yield node.func.attr
    elif isinstance(node, ast.Name):
        if node.id in _BUILT_IN:
            yield node.id
    elif isinstance(node, ast.ImportFrom):
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.Call) and spelt(node.func) == "getattr" and len(node.args) > 1:
        name = node.args[1]
        if isinstance(name, ast.Constant):
            yield str(name.value)


def _past_the_hooks(path: str, tree: ast.Module) -> Iterator[Violation]:
    """HTTP is built, and sent by `send`, which has hooks and is a departure."""
    if not any(name == "httpx" for node in nodes(tree) for name in names_of(node)):
        return
    for call in calls(tree):
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        receiver = spelt(call.func).rpartition(".")[0]
        is_http = receiver.endswith(("httpx", "client")) and method in _HTTP_OF_CLIENTS
        if method in _HTTP_PAST_HOOKS or is_http:
            yield _at(path, call, f"{spelt(call.func)}() sends past the hooks: build_request() and send()")
        if path in _ONLY_GET and (method == "build_request" or spelt(call.func) == "httpx.Request"):
            is_get = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == "GET"
            if not is_get or any(one.arg != "headers" for one in call.keywords):
                yield _at(path, call, "what leaves here is a GET that carries nothing")


def _files_and_routes(path: str, tree: ast.Module) -> Iterator[Violation]:
    if exits_through(path):
        return
    for node in nodes(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in _ROUTES:
            yield _at(path, node, f"{name} lets answers out, and gateway.domain.exits has no exit here")
        if isinstance(node, ast.Call) and _writes_file(node) and not exits_through(path, _function_around(tree, node)):
            yield _at(path, node, f"{spelt(node.func)}() writes a file, and gateway.domain.exits has no exit here")


def _function_around(tree: ast.Module, node: ast.AST) -> str:
    """The innermost function that it is in, or ''."""
    around = [one for one in nodes(tree) if isinstance(one, ast.FunctionDef) and node in nodes(one)]
    return around[-1].name if around else ""


def _writes_file(call: ast.Call) -> bool:
    name = spelt(call.func).rpartition(".")[2] or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
    if name in _WRITERS | _TEMPORARY:
        return True
    handed = [*call.args, *(one.value for one in call.keywords if one.arg in ("mode", "flags"))]
    modes = [one.value for one in handed if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    is_written = any(re.fullmatch(r"[rbt]*[wax+][rwaxbt+]*", mode) for mode in modes)
    flags = {spelt(one) for each in handed for one in ast.walk(each) if isinstance(one, ast.Attribute)}
    return name == "open" and (is_written or bool(flags & {"os.O_WRONLY", "os.O_RDWR", "os.O_CREAT"}))


def _at(path: str, node: ast.AST, sentence: str) -> Violation:
    return Violation(path, getattr(node, "lineno", 1), sentence)
