"""What a connection test found, step by step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of a diagnosis. `remedy` says what to change and is empty where `is_ok`."""

    name: str
    is_ok: bool
    detail: str
    remedy: str = ""
