"""`consilium up` on free ports: everything comes up, takes a new clinic without a restart, and goes down whole."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.peers.processes import LOOPBACK, free_port, is_listening


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def read_until(process: subprocess.Popen[str], last_words: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.strip().startswith(last_words):
            return lines
    raise AssertionError(f"ended before it was up: {lines}")


def in_use_by_this_gateway(settings: dict[str, str]) -> set[str]:
    """The ports of which `consilium doctor` says so."""
    command = [sys.executable, "-m", "gateway.cli", "doctor", "--json"]
    told = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    steps = json.loads(told.stdout)["steps"]
    return {one["name"] for one in steps if one["is_ok"] and one["detail"].endswith("is in use by this gateway")}


def test_up_and_down(tmp_path: Path) -> None:
    web_port, dicom_port = free_port(), free_port()
    settings = {
        "CONSILIUM_DATA_DIR": str(tmp_path / "data"),
        "CONSILIUM_WEB__PORT": str(web_port),
        "CONSILIUM_WEB__WORKERS": "1",
        "CONSILIUM_DICOM__HOST": LOOPBACK,
        "CONSILIUM_DICOM__PORT": str(dicom_port),
        "CONSILIUM_STORAGE__MIN_FREE_BYTES": "0",
    }
    command = [sys.executable, "-m", "gateway.cli", "up"]
    log = (tmp_path / "log").open("w")
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            told = read_until(process, "data")
            assert told[0] == "consilium is up"
            assert f"  DICOM   CONSILIUM@{LOOPBACK}:{dicom_port}" in told
            assert httpx.get(f"http://{LOOPBACK}:{web_port}/readyz").status_code == httpx.codes.OK
            assert {"HTTP port", "DICOM port"} <= in_use_by_this_gateway(settings)
            running = children(process.pid)
            assert len(running) == 3
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
            log.close()
    assert [pid for pid in running if Path(f"/proc/{pid}").exists()] == []
    assert not is_listening(web_port)
    assert not is_listening(dicom_port)


def test_up_with_a_taken_port_ends_and_says_so(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "CONSILIUM_DATA_DIR": str(tmp_path / "data"),
        "CONSILIUM_WEB__PORT": str(port),
        "CONSILIUM_DICOM__HOST": "192.0.2.1",  # TEST-NET-1 (RFC 5737): never an address of this machine
        "CONSILIUM_STORAGE__MIN_FREE_BYTES": "0",
    }
    command = [sys.executable, "-m", "gateway.cli", "up"]
    started = time.monotonic()
    ended = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 1
    lines = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert any(line["event"].startswith("dicom-node ended with status") for line in lines), ended.stderr
    assert time.monotonic() - started < 60
