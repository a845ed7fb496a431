"""Backups that nobody watches, and the empty gateway that one is restored into."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from gateway.services.backing_up import Advance, Made, create
from gateway.services.core import Core
from gateway.services.restoring import Target, restore
from gateway.store.backups import Backup
from gateway.store.engine import Database
from gateway.store.tables import metadata


def unwatched(_total: int) -> AbstractContextManager[Advance]:
    return nullcontext(unheard)


def unheard(_count: int) -> None:
    """Nobody watches."""


def backed_up(core: Core, folder: Path) -> Made:
    return create(core, folder, software="test", actor="test", watch=unwatched)


@dataclass
class Gateway:
    """An empty one."""

    target: Target

    def restored(self, backup: Backup) -> None:
        restore(backup, self.target, actor="test", advance=unheard)

    @property
    def database(self) -> Database:
        return self.target.database


def rows_of(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }
