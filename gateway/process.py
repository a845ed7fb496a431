"""What each of the three programs does first: logs and, in tests, a kill point."""

import logging
import os
import signal
import sys
import traceback
from pathlib import Path

import structlog

from config.settings import Settings
from gateway.domain.hooks import observe


def prepare_process(settings: Settings) -> None:
    """JSON logs on standard error, ids only; and the hook at which a test wants this process killed, if any."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log.level)),
        logger_factory=structlog.WriteLoggerFactory(file=os.fdopen(os.dup(2), "w", buffering=1)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING)
    if settings.kill_at:
        observe(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == settings.kill_at else None)


def _without_values(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception's text may quote what it choked on: keep where it happened, not what it said."""
    if event.pop("exc_info", None):
        frames = traceback.extract_tb(sys.exc_info()[2])[-8:]
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event
