"""What the three composition roots have in common: settings become stores, rules, logs and, in tests, a kill point."""

import logging
import os
import signal
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from config.settings import Settings
from gateway.domain.hooks import observe
from gateway.domain.report import Institution
from gateway.domain.work import RetryPolicy
from gateway.services.core import Core
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database
from gateway.store.keys import existing_key, key_or_new


def open_core(settings: Settings) -> Core:
    """The stores and rules that these settings name. Raises Permanent for an unusable key file."""
    retry, institution = settings.retry, settings.institution
    return Core(
        database=Database(settings.database_url_resolved),
        blobs=BlobDirectory(settings.blob_dir, min_free_bytes=settings.storage.min_free_bytes),
        now=lambda: datetime.now(UTC),
        pseudonym_key=_pseudonym_key(settings),
        token_prefix=settings.pseudonym.prefix,
        quiet_period=timedelta(seconds=settings.study.quiet_period_s),
        retry=RetryPolicy(retry.base_s, retry.cap_s, retry.max_attempts, settings.worker.lease_s),
        institution=Institution(institution.name, institution.contact, institution.invitation),
    )


def _pseudonym_key(settings: Settings) -> bytes:
    """A key file that was named has to be there; the gateway's own is made at the first start."""
    path = settings.pseudonym_key_path
    return existing_key(path) if settings.pseudonym.key_file else key_or_new(path)


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
