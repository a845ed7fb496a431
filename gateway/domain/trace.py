"""One id for everything that follows from one association, request or command, and spans that tell what took how long.

The id is a trace id of https://www.w3.org/TR/trace-context/#trace-id. It follows the thread of control; the outbox
carries it from process to process, and with it the id of the span that a job follows from. Spans go nowhere unless a
composition root has installed a tracer.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

Ids = Mapping[str, str | int]
"""What a span is about: ids, kinds, statuses and counts, never patient data."""

_current: ContextVar[str] = ContextVar("trace_id", default="")
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_KNOWN_VERSION = "00"


@dataclass(frozen=True)
class Parent:
    """The span of another system that a request came out of, or of another process that a job came out of."""

    trace_id: str
    span_id: str


class Tracer(Protocol):
    """Whoever records spans."""

    def span(self, name: str, parent_id: str, ids: Ids) -> AbstractContextManager[None]:
        """Lasts as long as its block, below the current span, or below `parent_id` of another process."""
        ...

    def note(self, ids: Ids) -> None:
        """Add to the current span."""
        ...

    def current_span_id(self) -> str:
        """Of the current span; '' outside of any."""
        ...

    def flush(self) -> None:
        """Hand over what has ended; whoever takes it may be away, which is not waited for long."""
        ...


_tracers: list[Tracer] = []


def parse_traceparent(header: str) -> Parent | None:
    """What https://www.w3.org/TR/trace-context/#traceparent-header says, or None where it is not valid.

    A later version may say more behind what is known of it.
    """
    found = _TRACEPARENT.fullmatch(header)
    if found is None or (found[1] == _KNOWN_VERSION and found[4]):
        return None
    return Parent(found[2], found[3])


def current() -> str:
    """The trace id; '' outside of any trace."""
    return _current.get()


def current_span_id() -> str:
    """Of the span that the current work is part of; '' where none is recorded."""
    return _tracers[-1].current_span_id() if _tracers else ""


@contextmanager
def within(trace_id: str = "") -> Iterator[None]:
    """What the block does belongs to this trace, or without an id to a new one."""
    token = _current.set(trace_id or secrets.token_hex(16))
    try:
        yield
    finally:
        _current.reset(token)


def span(name: str, *, parent_id: str = "", **ids: str | int) -> AbstractContextManager[None]:
    """The block is one span of the current trace."""
    return _tracers[-1].span(name, parent_id, ids) if _tracers else nullcontext()


def note(**ids: str | int) -> None:
    """Add to the current span what was not known at its beginning."""
    for tracer in _tracers[-1:]:
        tracer.note(ids)


def flush() -> None:
    """Hand over the spans that have ended: at the end of a process, which may end without its exit functions."""
    for tracer in _tracers:
        tracer.flush()


def install(tracer: Tracer) -> None:
    """Have the spans of this process recorded from now on."""
    _tracers.append(tracer)


def uninstall(tracer: Tracer) -> None:
    """Record no more with it."""
    _tracers.remove(tracer)
