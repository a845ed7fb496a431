"""What the composition roots and the command line have in common: settings become stores and rules."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from config.settings import Settings
from gateway.domain.blobs import Blobs
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.errors import Full, Permanent, Transient
from gateway.domain.report import Institution
from gateway.domain.work import RetryPolicy
from gateway.services import one_key, settings_changes
from gateway.services.core import Core
from gateway.services.one_store import OwnBlobs
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database
from gateway.store.installation import known_fingerprint
from gateway.store.keys import existing_key, fingerprint_of, key_or_new

if TYPE_CHECKING:
    from gateway.store.blobs_s3 import S3Blobs  # its library is loaded where there is a bucket


def open_core(settings: Settings) -> Core:
    """The stores and rules that these settings name.

    Raises Permanent for an unusable data folder or key file, and for a key that is not that of the installation.
    """
    database = open_database(settings)
    key = _confirmed_key(settings, database)
    return _core(settings, database, own_blobs(settings, database, key), key)


def start_core(settings: Settings, program: str) -> Core:
    """The same for a program: it compares its blob store now, where database and store are there to tell.

    Settings that have changed are recorded with the first thing that it writes.

    Raises as `open_core`, and Permanent for a blob store that is not that of the installation.
    """
    database = open_database(settings)
    key = _confirmed_key(settings, database, program)
    blobs = own_blobs(settings, database, key)
    core = _core(settings, database, blobs, key)
    try:
        blobs.confirm()
    except Permanent:
        database.dispose()
        raise
    except (Full, Transient):  # compared again before the first blob is touched
        pass
    return core


def _core(settings: Settings, database: Database, blobs: Blobs, key: bytes) -> Core:
    retry, institution = settings.retry, settings.institution
    return Core(
        database=database,
        blobs=blobs,
        now=clock(settings),
        pseudonym_key=key,
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


def clock(settings: Settings) -> Callable[[], datetime]:
    """The present moment; ahead of it by the seconds in the file, where a test wants the clock to jump."""
    ahead_file = settings.clock_ahead_file
    if not ahead_file:
        return lambda: datetime.now(UTC)
    return lambda: datetime.now(UTC) + timedelta(seconds=float(Path(ahead_file).read_text(encoding="ascii")))


def open_database(settings: Settings) -> Database:
    """The database that these settings name; nothing is asked of it yet. Raises Permanent for an unusable folder."""
    with _folders_usable():
        return Database(settings.database_url_resolved)


def own_blobs(settings: Settings, database: Database, key: bytes | None) -> OwnBlobs:
    """The same as `open_blobs`, used only where it is the one of the installation that has this key.

    Without a key (a machine that has none yet) it can be compared, and must not be used.
    """
    where = f"the bucket {settings.blobs.bucket}" if settings.blobs.bucket else f"the folder {settings.blob_dir}"
    return OwnBlobs(open_blobs(settings, database), database, where, key_fingerprint=fingerprint_of(key) if key else "")


def open_blobs(settings: Settings, database: Database) -> Blobs:
    """The folder or the bucket that these settings name. Raises Permanent for an unusable folder."""
    if settings.blobs.bucket:
        return open_bucket_of(settings, database)
    with _folders_usable():
        return BlobDirectory(settings.blob_dir, min_free_bytes=settings.storage.min_free_bytes)


def open_bucket_of(settings: Settings, database: Database) -> "S3Blobs":
    """The bucket that these settings name; nothing is asked of it yet. Raises UnusableSettings for a key file."""
    from gateway.store.blobs_s3 import S3Blobs
    from gateway.store.bucket import Bucket

    blobs, storage = settings.blobs, settings.storage
    access_key, secret_key = settings.blob_key
    bucket = Bucket(
        name=blobs.bucket,
        prefix=blobs.prefix,
        endpoint=blobs.endpoint,
        region=blobs.region,
        is_path_style=blobs.path_style,
        access_key=access_key,
        secret_key=secret_key,
        connect_timeout_s=blobs.connect_timeout_s,
        response_timeout_s=blobs.response_timeout_s,
        max_retries=blobs.max_retries,
        retry_s=blobs.retry_s,
    )
    return S3Blobs(
        bucket,
        turn=database.turn,
        now=clock(settings),
        leftover_age=timedelta(seconds=storage.leftover_age_s),
        spool_folder=settings.spool_dir,
        min_free_bytes=storage.min_free_bytes,
    )


def key_problem(settings: Settings, core: Core) -> str:
    """Why the key must not be used after all, where the database was not there to tell at the start; '' for none."""
    return one_key.known_problem(core.database, core.pseudonym_key, settings.pseudonym_key_path)


def _confirmed_key(settings: Settings, database: Database, program: str = "") -> bytes:
    """The key, compared now if the database answers, and in any case before anything is written.

    Then a program, which has a name, records what changed of its settings.
    """
    key, path, now = _pseudonym_key(settings, database), settings.pseudonym_key_path, clock(settings)
    if found := one_key.known_problem(database, key, path):
        database.dispose()
        raise Permanent(found)

    def confirm(connection: Connection) -> None:
        try:
            one_key.confirm(connection, key, path, now=now())
        except Permanent as exc:  # what was begun is not at fault: it is refused for now, and no job gives up
            raise Transient(str(exc)) from exc
        if program:
            settings_changes.record_changes(connection, program, settings.spelt, key, now=now())

    database.begin_with(confirm)
    return key


def _pseudonym_key(settings: Settings, database: Database) -> bytes:
    """The gateway's own is made at its first start, unless other machines have to have the same one."""
    path = settings.pseudonym_key_path
    with _folders_usable():
        is_first_start = settings.makes_own_key and known_fingerprint(database) is None
        return key_or_new(path) if is_first_start else existing_key(path)


@contextmanager
def _folders_usable() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        remedy = "give the folder to the user of this process, or set data_dir elsewhere"
        raise Permanent(f"{exc.filename} cannot be made or used ({exc.strerror}); {remedy}") from exc
