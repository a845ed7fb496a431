"""What `consilium doctor` finds out from the stores: are they there, whose are they, and what waits in them?"""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection

from config.errors import UnusableSettings
from config.settings import Settings
from gateway.cli.worker_checks import workers
from gateway.domain.addresses import is_loopback
from gateway.domain.diagnosis import Step, step
from gateway.domain.errors import Damaged, GatewayError
from gateway.domain.moments import utc_in_words
from gateway.services import one_key, second_look
from gateway.services.restore_hold import held_back
from gateway.store import audit_exports, clients, dead_letters, installation
from gateway.store.audit_exports import SYSLOG
from gateway.store.engine import Database
from gateway.store.figures import backlog
from gateway.store.keys import existing_key, shown
from gateway.store.readiness import database_problems
from gateway.wiring import clock, open_bucket_of, open_database, own_blobs

_NAMED = 3


def stored(settings: Settings) -> Iterator[Step]:
    """Every check of the stores in turn."""
    yield _database(settings)
    yield _installation_key(settings)
    yield _installation_store(settings)
    if settings.blobs.bucket:
        yield _bucket(settings)
    yield _workers(settings)
    yield _work(settings)
    yield _blobs(settings)
    yield _late(settings)
    yield _restored(settings)
    yield _own_address(settings)
    if settings.syslog.host:
        yield _syslog(settings)


def _database(settings: Settings) -> Step:
    if not _has_database(settings):
        return Step("database", True, "not there yet; `consilium up` and `consilium db upgrade` create it")
    try:
        with _opened(settings) as database:
            problems = database_problems(database)
    except GatewayError as exc:
        problems = [str(exc)]
    remedy = "Check that the database runs and database_url is right; then run: consilium db upgrade"
    return step("database", not problems, "; ".join(problems) or "schema current", remedy)


def _installation_key(settings: Settings) -> Step:
    """The key file of this machine beside what the installation has recorded."""
    name, path = "installation's key", settings.pseudonym_key_path
    if not path.exists():
        return Step(name, True, "not compared; this machine has no key yet")
    try:
        key = existing_key(path)
        with _asked(settings) as connection:
            if connection is None:
                return Step(name, True, f"fingerprint {shown(key)}, not compared; the database comes first")
            found, recorded = one_key.problem(connection, key, path), installation.fingerprint(connection)
    except GatewayError as exc:
        return Step(name, False, "not compared", str(exc))
    state = "that of this installation" if recorded else "recorded by the first program that starts"
    return step(name, not found, f"fingerprint {shown(key)}, {'another one' if found else state}", found)


def _installation_store(settings: Settings) -> Step:
    """The blob store of this machine beside what the installation has recorded."""
    name = "installation's blob store"
    try:
        key = existing_key(settings.pseudonym_key_path) if settings.pseudonym_key_path.exists() else None
        with _asked(settings) as connection:
            if connection is None:
                return Step(name, True, "not compared; the database comes first")
            recorded = installation.blob_store(connection)
        with _opened(settings) as database:
            found = own_blobs(settings, database, key).known_problem()
    except (GatewayError, UnusableSettings) as exc:
        return Step(name, True, f"not compared: {exc}")
    state = "that of this installation" if recorded else "recorded by the first program that starts"
    return step(name, not found, "another one" if found else state, found)


def _bucket(settings: Settings) -> Step:
    """Written, read and removed, as the gateway does."""
    where = f"{settings.blobs.bucket} at {settings.blobs.endpoint or settings.blobs.region}"
    remedy = "Check [blobs] and that the store runs; the access key has to list, read, write and delete."
    try:
        with _opened(settings) as database:
            open_bucket_of(settings, database).probe()
    except (GatewayError, UnusableSettings) as exc:
        return Step("bucket", False, f"{where}: {exc}", remedy)
    return Step("bucket", True, where)


def _workers(settings: Settings) -> Step:
    """Those that have shown themselves lately, whichever machine they are on."""
    now = clock(settings)()
    try:
        with _asked(settings) as connection:
            if connection is None:
                return Step("workers", True, "not looked at; the database comes first")
            return workers(backlog(connection, now), now)
    except GatewayError as exc:
        return Step("workers", True, f"not looked at; the database comes first ({exc})")


def _work(settings: Settings) -> Step:
    """What gave up anywhere in the gateway, so that nobody has to look case by case."""
    try:
        with _asked(settings) as connection:
            if connection is None:
                return Step("work", True, "not looked at; the database comes first")
            stopped = sum(dead_letters.by_kind(connection).values())
    except GatewayError as exc:
        return Step("work", True, f"not looked at; the database comes first ({exc})")
    return step("work", not stopped, f"{stopped} jobs gave up", "Run: consilium job list")


def _blobs(settings: Settings) -> Step:
    """Those that some work met damaged or missing: it is tried again until its deadline, and helps itself to none."""
    try:
        with _asked(settings) as connection:
            said = dead_letters.failing_by(connection, Damaged) if connection is not None else []
    except GatewayError as exc:
        return Step("blobs", True, f"not looked at; the database comes first ({exc})")
    each = list(dict.fromkeys(said))
    more = f"; and {len(each) - _NAMED} more" if len(each) > _NAMED else ""
    detail = f"{len(said)} jobs wait for: {'; '.join(each[:_NAMED])}{more}" if said else "none known to be damaged"
    remedy = "Copy each back from the folder blobs/ of a backup; what waits for it goes on by itself."
    return step("blobs", not said, detail, remedy)


def _late(settings: Settings) -> Step:
    """Closed cases for which objects still came: they are kept until a person has said what becomes of those."""
    try:
        with _asked(settings) as connection:
            found = second_look.late(connection) if connection is not None else []
    except GatewayError as exc:
        return Step("late objects", True, f"not looked at; the database comes first ({exc})")
    named = ", ".join(one.study_id for one in found[:_NAMED])
    detail = f"of {len(found)} studies, which came when their case was closed: {named}" if found else "none"
    return step("late objects", not found, detail, "Run for each: consilium study show ID")


def _restored(settings: Settings) -> Step:
    """Clinics of which nothing leaves since a restore."""
    try:
        with _asked(settings) as connection:
            sentences = held_back(connection) if connection is not None else []
    except GatewayError as exc:
        return Step("restored", True, f"not looked at; the database comes first ({exc})")
    return step("restored", not sentences, f"{len(sentences)} clinics held back", "; ".join(sentences))


def _own_address(settings: Settings) -> Step:
    """An assertion names the gateway by its address: without it none is taken, but on this machine itself."""
    name = "own address"
    if settings.web.base_url:
        return Step(name, True, settings.web.base_url)
    try:
        with _asked(settings) as connection:
            found = clients.clients(connection) if connection is not None else []
    except GatewayError as exc:
        return Step(name, True, f"not looked at; the database comes first ({exc})")
    with_keys = [one.id for one in found if "key" in one.proof.methods and one.revoked_at is None]
    named = ", ".join(with_keys[:_NAMED])
    detail = f"none is set, and {len(with_keys)} clients have keys: {named}" if with_keys else "none is set"
    remedy = "Set web.base_url to the address that clients use: their assertions are refused, but on this machine."
    return step(name, not with_keys or is_loopback(settings.web.host), detail, remedy)


def _syslog(settings: Settings) -> Step:
    """How far the audit trail has come to its collector."""
    try:
        with _asked(settings) as connection:
            found = audit_exports.known(connection, SYSLOG) if connection is not None else None
    except GatewayError as exc:
        return Step("syslog", True, f"not looked at; the database comes first ({exc})")
    if found is None:
        return Step("syslog", True, "nothing was sent yet")
    reached = f"{found.position} audit rows have arrived, the last at {utc_in_words(found.exported_at)}"
    failing = f"; since {utc_in_words(found.failing_since)}: {found.last_error}" if found.failing_since else ""
    remedy = "Check [syslog], and the collector's own log (docs/audit.md, Export by syslog); nothing is lost meanwhile."
    return step("syslog", not failing, reached + failing, remedy)


@contextlib.contextmanager
def _asked(settings: Settings) -> Iterator[Connection | None]:
    """The database, or None while it is not there or not of this version."""
    if not _has_database(settings):
        yield None
        return
    with _opened(settings) as database:
        if database_problems(database):
            yield None
            return
        with database.read() as connection:
            yield connection


def _has_database(settings: Settings) -> bool:
    return bool(settings.database_url) or (settings.data_dir / "consilium.db").exists()


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = open_database(settings)
    try:
        yield database
    finally:
        database.dispose()
