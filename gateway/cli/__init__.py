"""The command `consilium`."""

from gateway.cli.entry import main

__all__ = ["main"]
