"""What each of the three programs does first: logs, traces where wanted and, in tests, a kill point."""

import logging
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from config.settings import Settings
from gateway.domain import trace
from gateway.domain.errors import Permanent
from gateway.domain.hooks import observe
from gateway.telemetry import send_traces


def prepare_process(settings: Settings, program: str) -> None:
    """Logs; and what the settings want beside them.

    Raises Permanent where traces are wanted and cannot be had.
    """
    log_as_json(settings)
    if settings.telemetry.otlp_endpoint:
        send_traces(settings.telemetry.otlp_endpoint, program)
    if settings.kill_at:
        observe(partial(_die_at, settings.kill_at))


def _die_at(hook: str, reached: str) -> None:
    """As a power cut would have it, but for a line that says where: of a server's process nobody sees the end."""
    if reached == hook:
        structlog.get_logger().warning("process.killed", hook=hook)
        os.kill(os.getpid(), signal.SIGKILL)


def log_as_json(settings: Settings) -> None:
    """JSON lines on standard error, ids only, each with its trace: our own, those of libraries, and their warnings."""
    stream = os.fdopen(os.dup(2), "w", buffering=1)
    shared: list[structlog.typing.Processor] = [
        with_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_values,
    ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log.level)),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    theirs = logging.StreamHandler(stream)
    theirs.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[theirs], force=True)
    logging.captureWarnings(True)


def serve_metrics(host: str, port: int, registry: CollectorRegistry) -> None:
    """Show this process's own figures there, in Prometheus' text format, as long as it lives; port 0: nowhere.

    Raises Permanent when the port cannot be had.
    """
    if not port:
        return
    try:
        start_http_server(port, host, registry)
    except OSError as exc:
        raise Permanent(f"metrics_port {port} on {host} cannot be had ({exc.strerror}); set another one") from exc


def with_trace(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put the trace id into the line, where there is one."""
    if trace_id := trace.current():
        event["trace"] = trace_id
    return event


def _without_values(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception's text may quote what it choked on: keep where it happened, not what it said."""
    if exc_info := event.pop("exc_info", None):
        _, raised, trace_back = exc_info if isinstance(exc_info, tuple) else sys.exc_info()
        event.setdefault("error", type(raised).__name__)
        frames = traceback.extract_tb(trace_back)[-8:]
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event
