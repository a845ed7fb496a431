"""What a person reads when the database cannot be used: which one, why, and what to do. Never a password or a value."""

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.domain.errors import Full, GatewayError, Permanent, Transient, Unprocessable

_POSTGRESQL_PORT = 5432
_BUSY = "is busy; try again, and look for a process that holds it"
_OF_ANOTHER_VERSION = "is not of this version; run: consilium db upgrade"
_RIGHTS = "give it and its folder to the user of this process, or set data_dir elsewhere"
_LOGIN = "refused the user or the password; check database_url and database_password_file"
_SENTENCES = {
    "unable to open database file": f"cannot be opened; {_RIGHTS}",
    "readonly database": f"is not writable; {_RIGHTS}",
    "database is locked": _BUSY,
    "disk I/O error": "cannot be read or written; look at the disk",
    "no such table": _OF_ANOTHER_VERSION,
    "no such column": _OF_ANOTHER_VERSION,
    "password authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "role ": _LOGIN,
    "does not exist": "is not there; create it on the server, or correct database_url",
    "resolve host": "has no address; correct the host in database_url",
}
"""What the drivers say (it may quote values, so it is not passed on) -> what we say."""
_STATES = {
    "42P01": _OF_ANOTHER_VERSION,  # undefined_table
    "42703": _OF_ANOTHER_VERSION,  # undefined_column
    "40P01": "ended a transaction that waited for another one, which waited for it; try again",
    "55P03": _BUSY,
    "57014": "took too long; try again, and look at what keeps it busy",
    "25P03": "was kept waiting too long in the middle of a transaction; try again",
}
"""SQLSTATE -> the same, whatever language the server speaks; the last three are limits (`store.limits`).

https://www.postgresql.org/docs/15/errcodes-appendix.html
"""
_UNREADABLE = ("file is not a database", "malformed")
_DISK_FULL = "53100"
"""SQLSTATE disk_full, of the same table."""


def explained(url: URL, failure: DBAPIError | PoolTimeout) -> GatewayError | None:
    """The failure in a sentence, or None for one that is not the database's but the statement's.

    A PoolTimeout: every connection that this process may have was in use for too long.
    """
    if isinstance(failure, PoolTimeout):
        return Transient(f"{_which(url)} {_BUSY}")
    said, state = str(failure.orig), str(getattr(failure.orig, "sqlstate", ""))
    if "disk is full" in said or state == _DISK_FULL:
        return Full(f"the disk of {_which(url)} is full")
    if any(fragment in said for fragment in _UNREADABLE):
        return Permanent(f"{_which(url)} is damaged or no SQLite file; restore it from its backup")
    if isinstance(failure, DataError):
        return Unprocessable("a value has characters or a size that the database cannot hold")
    if state in _STATES or isinstance(failure, (OperationalError, InternalError)):
        otherwise = f"did not answer ({type(failure.orig).__name__}); check that it runs and database_url is right"
        found = (words for fragment, words in _SENTENCES.items() if fragment in said)
        return Transient(f"{_which(url)} {_STATES.get(state) or next(found, otherwise)}")
    return Transient(f"{_which(url)} went away") if failure.connection_invalidated else None


def _which(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"the database file {url.database}"
    host = url.host or url.query.get("host") or "localhost"
    return f"the database {url.database} at {host}:{url.port or _POSTGRESQL_PORT}"
