"""`consilium demo` as a newcomer runs it: to the end, interrupted, and with a step that fails."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.demo import performance, program
from gateway.demo.stage import Stage
from gateway.demo.waiting import StepFailed
from tests.peers.processes import is_listening

DEMO = (sys.executable, "-m", "gateway.cli", "demo", "--data-dir")
WITHIN_S = 200

pytestmark = pytest.mark.timeout(WITHIN_S + 30)


def test_the_journey_ends_with_the_report_on_both_sides(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*DEMO, str(tmp_path), "--once"], capture_output=True, timeout=WITHIN_S, encoding="utf-8", check=False
    )
    shown = ended.stdout
    assert ended.returncode == 0, shown + ended.stderr
    assert ended.stderr == ""
    [run] = tmp_path.iterdir()
    assert len(list((run / "reviewer").glob("CT-*.dcm"))) == 24
    assert len(list((run / "reviewer").glob("DOC-*.dcm"))) == 1
    assert len(list((run / "hospital").glob("*/DOC-*.dcm"))) == 1
    [pdf] = (run / "ehr").glob("DiagnosticReport-*.pdf")
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert str(pdf) in shown
    assert "$ consilium document redact" in shown
    assert "waits for nothing" in shown
    assert "egress.granted" in shown
    assert "\x1b[" not in shown
    assert not any(map(is_listening, _ports(shown)))


def test_an_interruption_stops_everything(tmp_path: Path) -> None:
    with subprocess.Popen([*DEMO, str(tmp_path)], stdout=subprocess.PIPE, encoding="utf-8") as demo:
        try:
            assert demo.stdout is not None
            lines = iter(demo.stdout.readline, "")
            shown = "".join(next(lines) for _ in range(6))
            ports = _ports(shown)
            assert len(ports) == 5, shown
            assert all(map(is_listening, ports))
            os.kill(demo.pid, signal.SIGINT)
            assert "interrupted" in "".join(lines)
            assert demo.wait(WITHIN_S) == 130
        finally:
            demo.terminate()
    assert not any(map(is_listening, ports))


def test_a_step_that_fails_says_why_and_shows_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def _fail(stage: Stage) -> str:
        assert "waits" not in stage.gateway.log_tail()
        raise StepFailed("waited 1 s in vain for a report")

    monkeypatch.setattr(performance, "travel", _fail)
    assert program.run_demo(once=True, data_dir=tmp_path) == 1
    shown = capsys.readouterr().out
    assert "The demo failed: waited 1 s in vain for a report" in shown
    assert "consilium is up" in shown
    assert not any(map(is_listening, _ports(shown)))


def _ports(shown: str) -> set[int]:
    return {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", shown)}
