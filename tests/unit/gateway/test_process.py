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


_SERVER = """
from gunicorn.config import Config
from config.settings import load_settings
from gateway.process import prepare_process
from gateway.web.server_log import ServerLog

prepare_process(load_settings(), "web")
config = Config()
config.set("errorlog", None)
config.set("loglevel", "error")
log = ServerLog(config)
log.setup(config)  # as at a reload
log.info("Starting")
log.error("Worker (pid:%s) was sent %s!", 7, "SIGKILL")
try:
    raise ValueError("Ayse Yilmaz")
except ValueError:
    log.exception("Error handling request %s %s", "GET", "/fhir/Patient?family=Yilmaz")
"""


def test_the_web_servers_own_lines_are_json_without_request_lines() -> None:
    ran = subprocess.run([sys.executable, "-c", _SERVER], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    killed, failed = (json.loads(line) for line in ran.stderr.splitlines())
    assert (killed["event"], killed["level"], killed["logger"]) == (
        "Worker (pid:7) was sent SIGKILL!", "error", "gunicorn.error"
    )  # fmt: skip
    assert (failed["event"], failed["error"]) == ("Error handling request", "ValueError")
    assert failed["at"]
    assert "Yilmaz" not in ran.stderr
