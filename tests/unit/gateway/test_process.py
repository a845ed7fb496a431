"""Every line of a program is JSON: our own, those of libraries, warnings; and an exception leaves no values there."""

import json
import subprocess
import sys

_PROGRAM = """
import logging, warnings
import structlog
from config.settings import load_settings
from gateway.process import prepare_process

prepare_process(load_settings(), "worker")
structlog.get_logger().info("ours", job="1")
warnings.warn("superuser\\nprivileges", UserWarning)
logging.getLogger("celery.worker").warning("not %s", "there")
try:
    raise ValueError("Ayse Yilmaz")
except ValueError as exc:
    logging.getLogger("celery.worker").critical("unrecoverable", exc_info=True)
logging.getLogger("celery.worker").info("too small")
"""


def test_every_line_is_json_on_standard_error() -> None:
    ran = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [(line["level"], line.get("logger", "")) for line in lines] == [
        ("info", ""),
        ("warning", "py.warnings"),
        ("warning", "celery.worker"),
        ("critical", "celery.worker"),
    ]
    assert "superuser\nprivileges" in lines[1]["event"]
    assert (lines[2]["event"], lines[3]["error"]) == ("not there", "ValueError")
    assert "Yilmaz" not in ran.stderr
    assert lines[3]["at"]
    assert all(line["timestamp"] for line in lines)
