"""How the commands answer: a table or labelled lines for people, `--json` for programs."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.domain.errors import Invalid
from gateway.domain.ids import new_id
from gateway.domain.moments import utc_in_words

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 200

DEFAULT_LIMIT = 100

limit_option: Callable[..., Any] = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Show at most so many.",
)
json_option: Callable[..., Any] = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


def console() -> "Console":
    """Standard output; wide when it is a pipe, so that ids stay whole."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    return Console(width=None if is_terminal else _WIDTH_WITHOUT_TERMINAL, highlight=False, soft_wrap=False)


def print_json(value: object) -> None:
    """Dataclasses, lists and plain values as JSON; times in ISO 8601 UTC."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_list(rows: Sequence[object], columns: Mapping[str, str], *, is_json: bool) -> None:
    """One line a row. `columns` is attribute -> heading."""
    if is_json:
        print_json(list(rows))
    elif rows:
        print_table(tuple(columns.values()), [[readable(getattr(row, name)) for name in columns] for row in rows])
    else:
        click.echo("none")


def print_page(rows: Sequence[object], columns: Mapping[str, str], *, limit: int, is_json: bool) -> None:
    """The first `limit` rows, of which the caller asked for one more: whether there is one, a line on stderr says."""
    print_list(rows[:limit], columns, is_json=is_json)
    if len(rows) > limit:
        click.echo(f"the first {limit} are shown and there are more; --limit shows them", err=True)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Collection[str] = ()) -> None:
    """Aligned columns; those with a heading in `whole` are never folded, and no word is ever broken."""
    from gateway.cli.table import table_lines  # a help or an answer in JSON needs none of it

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    heading, *lines = table_lines(headings, rows, width=width, whole=whole)
    click.secho(heading, bold=True)
    if lines:
        click.echo("\n".join(lines))


def print_fields(fields: Mapping[str, object], *, indent: int = 0) -> None:
    """Labelled lines, aligned."""
    width = max(map(len, fields), default=0)
    for label, value in fields.items():
        click.echo(f"{' ' * indent}{label.ljust(width)}  {readable(value)}".rstrip())


def readable(value: object) -> str:
    """Text for people: times in UTC to the second, '' for None."""
    if isinstance(value, datetime):
        return utc_in_words(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(readable(each) for each in value)
    return "" if value is None else str(value)


def write_file(file: Path, content: bytes) -> None:
    """What a person asked to have in a file of that name: all of it, or what was there before.

    Raises Invalid where it cannot be written.
    """
    try:
        _write(file.resolve(), content)
    except OSError as exc:
        raise Invalid(f"{file} cannot be written: {exc.strerror or type(exc).__name__}") from exc


def _write(file: Path, content: bytes) -> None:
    if file.exists() and not file.is_file():  # a device or a pipe has no half
        file.write_bytes(content)
        return
    beside = file.with_name(f".{new_id()}")
    try:
        with beside.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
