"""That something takes its time, and how far it is: on a terminal only, on standard error, gone at the end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]


@contextmanager
def progress(what: str, *, total: int, is_json: bool = False) -> Iterator[Advance]:
    """Call what this gives with how many more of `total` are done."""
    if not is_watched(is_json=is_json):
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def working(what: str) -> Iterator[None]:
    """For what has no countable parts."""
    if not is_watched():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def is_watched(*, is_json: bool = False) -> bool:
    """A person sees it: neither a pipe nor a program reads."""
    return not is_json and sys.stdout.isatty() and sys.stderr.isatty()
