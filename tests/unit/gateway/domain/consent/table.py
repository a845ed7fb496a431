"""The decision table as it is written: decisions/*.toml, read once."""

import tomllib
from pathlib import Path
from typing import Any

Notation = dict[str, Any]
FOLDER = Path(__file__).with_name("decisions")


def _read(path: Path) -> Notation:
    return tomllib.loads(path.read_text(encoding="utf-8"))


WORLD = _read(FOLDER / "world.toml")
ROWS: list[tuple[str, Notation]] = [
    (f"{path.stem}: {row['name']}", row)
    for path in sorted(FOLDER.glob("*.toml"))
    if path.name != "world.toml"
    for row in _read(path)["row"]
]
"""Name and notation of each row, in the order of files and lines."""
