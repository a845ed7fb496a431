"""What the composition roots and the command line have in common: settings become stores and rules."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from config.settings import Settings
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.errors import Permanent
from gateway.domain.report import Institution
from gateway.domain.work import RetryPolicy
from gateway.services.core import Core
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database
from gateway.store.keys import existing_key, key_or_new


def open_core(settings: Settings) -> Core:
    """The stores and rules that these settings name. Raises Permanent for an unusable key file or data folder."""
    retry, institution = settings.retry, settings.institution
    return Core(
        database=open_database(settings),
        blobs=_blobs(settings),
        now=lambda: datetime.now(UTC),
        pseudonym_key=_pseudonym_key(settings),
        token_prefix=settings.pseudonym.prefix,
        quiet_period=timedelta(seconds=settings.study.quiet_period_s),
        retry=RetryPolicy(
            base_s=retry.base_s,
            cap_s=retry.cap_s,
            max_attempts=retry.max_attempts,
            max_unended=retry.max_unended,
            deadline_s=settings.delivery.deadline_s,
            lease_s=settings.worker.lease_s,
        ),
        destinations=DestinationPolicy(**settings.destination.model_dump()),
        institution=Institution(institution.name, institution.contact, institution.invitation),
    )


def open_database(settings: Settings) -> Database:
    """The database that these settings name; nothing is asked of it yet. Raises Permanent for an unusable folder."""
    with _folders_usable():
        return Database(settings.database_url_resolved)


def _blobs(settings: Settings) -> BlobDirectory:
    with _folders_usable():
        return BlobDirectory(settings.blob_dir, min_free_bytes=settings.storage.min_free_bytes)


def _pseudonym_key(settings: Settings) -> bytes:
    """A key file that was named has to be there; the gateway's own is made at the first start."""
    path = settings.pseudonym_key_path
    with _folders_usable():
        return existing_key(path) if settings.pseudonym.key_file else key_or_new(path)


@contextmanager
def _folders_usable() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        remedy = "give the folder to the user of this process, or set data_dir elsewhere"
        raise Permanent(f"{exc.filename} cannot be made or used ({exc.strerror}); {remedy}") from exc
