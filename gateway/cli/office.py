"""What the commands share: the settings, the stores behind them, and who is asking. Opened at the first use.

What each of them needs is imported at that use as well, so that help and versions are there at once.
"""

import gc
import getpass
import os
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.domain import trace
from gateway.domain.errors import Permanent

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.services.core import Core

_ACTOR_LENGTH = 100


class Office:
    """One for each run of the command."""

    def __init__(self, config_file: Path | None) -> None:
        self.config_file = config_file
        self._ended = ExitStack()

    @cached_property
    def settings(self) -> "Settings":
        """Raises UnusableSettings."""
        from config.settings import load_settings

        found = load_settings(self.config_file)
        _collect_from_here_on()
        return found

    @cached_property
    def core(self) -> "Core":
        """The stores and rules; what the command does from here on is one trace, and what it leads to belongs to it.

        Raises Permanent while the database lacks its tables.
        """
        from gateway.store.readiness import is_current
        from gateway.wiring import open_core

        self._require_gateway()
        core = open_core(self.settings)
        if not is_current(core.database):
            core.database.dispose()
            raise Permanent("the database is not of this version; run: consilium db upgrade")
        self._ended.enter_context(trace.within())
        self._ended.callback(core.database.dispose)
        return core

    def _require_gateway(self) -> None:
        """A command in the wrong folder must not begin a second gateway with a key of its own."""
        if not self.settings.database_url and not self.settings.data_dir.is_dir():
            raise Permanent(
                f"no gateway keeps its data in {self.settings.data_dir}; run the command where it runs, set data_dir "
                "or CONSILIUM_CONFIG, or begin a new one here: consilium db upgrade"
            )

    @property
    def actor(self) -> str:
        """Who stands in the audit row: the user of the operating system."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
        return f"cli:{user}"[:_ACTOR_LENGTH]

    def close(self) -> None:
        """Close the database and end the trace, if the stores were opened."""
        self._ended.close()


def _collect_from_here_on() -> None:
    """The collector, which rested while the program was loaded (`entry.run`), never looks at what that made."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


pass_office = click.make_pass_decorator(Office)
