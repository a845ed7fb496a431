"""Named points at every commit, send and acknowledgement, at which a test can stop or kill the process.

`reach(name)` does nothing unless an observer is installed; the composition roots install one only when the
setting `kill_at` names a hook. A hook's name is `<what>.<before|after>_<commit|send|ack>`.
"""

from collections.abc import Callable

_observers: list[Callable[[str], None]] = []


def reach(name: str) -> None:
    """Tell the observers that the program has come to this point."""
    for observer in _observers:
        observer(name)


def observe(observer: Callable[[str], None]) -> None:
    """Call `observer` with the name of each hook from now on, in this process."""
    _observers.append(observer)


def forget(observer: Callable[[str], None]) -> None:
    """Stop calling `observer`."""
    _observers.remove(observer)
