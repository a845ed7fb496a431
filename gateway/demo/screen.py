"""What the demo shows: numbered steps, the commands it runs, and what to look at. Reads the same without colour."""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import Progress
from rich.text import Text

_INDENT = "   "


class Screen:
    """Standard output. Values are printed as they are: no markup, no wrapping inside ids and paths."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, file=sys.stdout)
        self._steps = 0

    def title(self, text: str) -> None:
        """The first line."""
        self._console.print(text, style="bold")

    def step(self, text: str) -> None:
        """The headline of the next step."""
        self._steps += 1
        self._console.print()
        self._console.print(f"{self._steps:>2} {text}", style="bold cyan")

    def say(self, text: str) -> None:
        """A sentence below the headline."""
        self._console.print(_INDENT + text)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Labelled lines, aligned."""
        width = max(map(len, facts))
        for label, value in facts.items():
            line = Text.assemble(_INDENT, (label.ljust(width), "dim"), "  ", str(value))
            self._console.print(line)

    def command(self, *arguments: str) -> None:
        """A command of the gateway, as a person would type it."""
        self._console.print(f"{_INDENT}$ consilium {shlex.join(arguments)}", style="green")

    def output(self, text: str) -> None:
        """What a command printed."""
        for line in text.rstrip().splitlines():
            self._console.print(f"{_INDENT}{line}".rstrip())

    def waits(self, text: str) -> None:
        """What the case waits for just now."""
        self._console.print(f"{_INDENT}... {text}", style="yellow")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Aligned columns, the first row as headings."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for number, row in enumerate(rows):
            line = "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True))
            self._console.print(f"{_INDENT}{line.rstrip()}", style="dim" if number == 0 else "")

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """On a terminal, that something is waited for; lines may be shown meanwhile."""
        return self._console.status(_INDENT + text)

    @contextmanager
    def progress(self, text: str, total: int) -> Iterator[Callable[[], None]]:
        """On a terminal, how far it is; what this gives is called for each of `total`."""
        with Progress(console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            task = bar.add_task(_INDENT + text, total=total)
            yield lambda: bar.advance(task)

    def failure(self, reason: str, log_tail: str) -> None:
        """Why the demo ends here, and the end of the gateway's log."""
        self._console.print()
        self._console.print(f"The demo failed: {reason}", style="bold red")
        if log_tail:
            self.say("The end of the gateway's log:")
            self.output(log_tail)
