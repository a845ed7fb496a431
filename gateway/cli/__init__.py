"""The command `consilium`."""

from gateway.cli.entry import main, run

__all__ = ["main", "run"]
