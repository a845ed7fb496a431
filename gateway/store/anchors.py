"""Anchors of the audit chain as files, one each, named by how many rows were sealed; never written anew."""

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from gateway.domain.audit_proof import Anchor
from gateway.domain.errors import Invalid
from gateway.store.disk import disk_errors, sync

FORMAT = 1
_DIGITS = 12


def write_anchor(folder: Path, anchor: Anchor) -> Path:
    """Keep it, durable, unless there is one of that position already; gives its file. Raises Full, Transient."""
    file = folder / f"{anchor.position:0{_DIGITS}}.json"
    with disk_errors(str(folder)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.exists():
            return file
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".unfinished-")
        growing = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(json.dumps({"format": FORMAT} | asdict(anchor) | {"at": anchor.at.isoformat()}) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            growing.rename(file)
            sync(folder)
        finally:
            growing.unlink(missing_ok=True)
    return file


def read_anchors(folder: Path) -> list[Anchor]:
    """Every anchor in the folder, and in the folders below it. Raises Invalid for one that cannot be read, or none."""
    found = anchors_so_far(folder)
    if not found:
        raise Invalid(f"there is no anchor in {folder}")
    return found


def anchors_so_far(folder: Path) -> list[Anchor]:
    """The same where none may have been written yet: empty without any, and without the folder.

    Raises Invalid for one that cannot be read, and Transient for a folder that cannot be looked into.
    """
    with disk_errors(str(folder)):
        if not folder.exists():
            return []
        return [_anchor(file) for file in sorted(_files(folder))]


def _files(folder: Path) -> Iterator[Path]:
    """Anchors in it and below; `Path.rglob` would pass over a folder that it may not read."""
    for place, _, names in os.walk(folder, onerror=_raise):
        yield from (Path(place, name) for name in names if name[0].isdigit() and name.endswith(".json"))


def _raise(exc: OSError) -> None:
    raise exc


def _anchor(file: Path) -> Anchor:
    try:
        said = json.loads(file.read_bytes())
        if said["format"] != FORMAT:
            raise Invalid(f"the anchor {file.name} was made by another version in a format that this one does not read")
        at = datetime.fromisoformat(said["at"])
        anchor = Anchor(int(said["position"]), int(said["audit_id"]), str(said["sha256"]), at)
    except (ValueError, KeyError, TypeError) as exc:
        raise Invalid(f"the anchor {file.name} is damaged") from exc
    if at.tzinfo is None or f"{anchor.position:0{_DIGITS}}" != file.stem:
        raise Invalid(f"the anchor {file.name} is damaged")
    return anchor
