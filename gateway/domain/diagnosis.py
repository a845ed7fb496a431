"""What a connection test found, step by step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of a diagnosis. `remedy` says what to change and is empty where `is_ok`."""

    name: str
    is_ok: bool
    detail: str
    remedy: str = ""


def step(name: str, is_ok: bool, detail: str, remedy: str) -> Step:
    """The same, without the remedy where none is needed."""
    return Step(name, is_ok, detail, "" if is_ok else remedy)
