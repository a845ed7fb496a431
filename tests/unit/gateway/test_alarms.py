"""Alarms ring when they are due, whatever the order in which they were set."""

import threading

import pytest

from gateway.alarms import Alarms
from gateway.domain.errors import Transient

PATIENCE_S = 10.0


def test_what_is_due_earlier_rings_earlier_though_it_was_set_later() -> None:
    rung: list[str] = []
    is_over = threading.Event()
    alarms = Alarms()

    alarms.after(0.3, is_over.set)
    alarms.after(0.2, lambda: rung.append("late"))
    alarms.after(0.05, lambda: rung.append("early"))

    assert is_over.wait(PATIENCE_S)
    assert rung == ["early", "late"]


def test_an_alarm_that_was_called_off_is_silent() -> None:
    rung: list[str] = []
    is_over = threading.Event()
    alarms = Alarms()

    alarms.after(0.05, lambda: rung.append("called off")).call_off()
    alarms.after(0.1, is_over.set)

    assert is_over.wait(PATIENCE_S)
    assert rung == []


def test_one_that_fails_takes_no_other_with_it() -> None:
    is_over = threading.Event()
    alarms = Alarms()

    def fail() -> None:
        raise RuntimeError("cannot")

    alarms.after(0.0, fail)
    alarms.after(0.05, is_over.set)

    assert is_over.wait(PATIENCE_S)


def test_one_may_be_set_after_all_others_have_rung() -> None:
    alarms = Alarms()
    for _ in range(2):
        has_rung = threading.Event()
        alarms.after(0.0, has_rung.set)
        assert has_rung.wait(PATIENCE_S)


def test_whoever_sets_one_that_no_thread_can_call_is_told_and_the_next_one_rings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    alarms, rung, has_rung = Alarms(), list[str](), threading.Event()
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", fail)
        with pytest.raises(Transient, match="starts no more threads"):
            alarms.after(0.0, lambda: rung.append("refused"))
    alarms.after(0.0, has_rung.set)
    assert has_rung.wait(PATIENCE_S)
    assert rung == []
