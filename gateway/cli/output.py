"""How the commands answer: a table or labelled lines for people, `--json` for programs."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_WITHOUT_TERMINAL = 200

json_option: Callable[..., Any] = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


def console() -> Console:
    """Standard output; wide when it is a pipe, so that ids stay whole."""
    is_terminal = sys.stdout.isatty()
    return Console(width=None if is_terminal else _WIDTH_WITHOUT_TERMINAL, highlight=False, soft_wrap=False)


def print_json(value: object) -> None:
    """Dataclasses, lists and plain values as JSON; times in ISO 8601 UTC."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_list(rows: Sequence[object], columns: Mapping[str, str], *, is_json: bool) -> None:
    """One line a row. `columns` is attribute -> heading."""
    if is_json:
        print_json(list(rows))
        return
    if not rows:
        click.echo("none")
        return
    table = Table(box=None, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(readable(getattr(row, name))) for name in columns))
    console().print(table)


def print_fields(fields: Mapping[str, object], *, indent: int = 0) -> None:
    """Labelled lines, aligned."""
    width = max(map(len, fields), default=0)
    for label, value in fields.items():
        click.echo(f"{' ' * indent}{label.ljust(width)}  {readable(value)}".rstrip())


def readable(value: object) -> str:
    """Text for people: times in UTC to the second, '' for None."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, (list, tuple)):
        return ", ".join(readable(each) for each in value)
    return "" if value is None else str(value)


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
