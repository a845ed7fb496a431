"""Which headers name a trace, and what belongs to one."""

import threading
from contextvars import copy_context

import pytest

from gateway.domain import trace

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "header",
    [f"00-{ID}-{SPAN}-01", f"00-{ID}-{SPAN}-00", f"cc-{ID}-{SPAN}-01", f"01-{ID}-{SPAN}-01-what-is-new"],
)
def test_a_valid_header_names_the_trace_and_the_span_above(header: str) -> None:
    assert trace.parse_traceparent(header) == trace.Parent(ID, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        ID,
        f"ff-{ID}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01-more",
        f"01-{ID}-{SPAN}-01more",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID[1:]}-{SPAN}-01",
        f"00-{ID}-{SPAN}-1",
        f"00-{ID}-{SPAN}-01\n",
        f"00-{ID}-{SPAN}-01,00-{ID}-{SPAN}-01",
        f"00-{'Ayşe Öztürk 4711'.ljust(32)}-{SPAN}-01",
    ],
)
def test_any_other_header_is_not_believed(header: str) -> None:
    assert trace.parse_traceparent(header) is None


def test_a_block_belongs_to_its_trace_and_what_is_around_it_to_the_other() -> None:
    assert trace.current() == ""
    with trace.within():
        outer = trace.current()
        assert trace.parse_traceparent(f"00-{outer}-{SPAN}-01") == trace.Parent(outer, SPAN)
        with trace.within(ID):
            assert trace.current() == ID
        with trace.within():
            assert trace.current() not in ("", outer)
        assert trace.current() == outer
    assert trace.current() == ""


def test_a_thread_belongs_to_no_trace_unless_it_is_given_one() -> None:
    found: list[str] = []

    def look() -> None:
        found.append(trace.current())

    with trace.within(ID):
        for thread in (threading.Thread(target=look), threading.Thread(target=copy_context().run, args=[look])):
            thread.start()
            thread.join()
    assert found == ["", ID]
