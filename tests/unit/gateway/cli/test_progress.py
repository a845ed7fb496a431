"""Who waits at a terminal sees how far it is; pipes and programs are spared."""

import io
import sys

import pytest

from gateway.cli.progress import progress, working


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output and error for the rest of the test; what standard error showed is in it."""
    monkeypatch.setenv("TERM", "xterm")
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def walk() -> None:
    with progress("verifying", total=2) as advance:
        advance(1)
        advance(1)
    with working("bringing up to date"):
        pass


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    walk()
    assert "verifying" in shown.getvalue()
    assert "100%" in shown.getvalue()
    assert "bringing up to date" in shown.getvalue()


def test_never_among_json(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    with progress("verifying", total=1, is_json=True) as advance:
        advance(1)
    assert shown.getvalue() == ""


def test_never_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    walk()
    assert shown.getvalue() == ""
