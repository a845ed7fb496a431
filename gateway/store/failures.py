"""What a person reads when the database cannot be used: which one, why, and what to do. Never a password or a value."""

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, InternalError, OperationalError

from gateway.domain.errors import Full, GatewayError, Permanent, Transient, Unprocessable

_POSTGRESQL_PORT = 5432
_RIGHTS = "give it and its folder to the user of this process, or set data_dir elsewhere"
_LOGIN = "refused the user or the password; check database_url and database_password_file"
_SENTENCES = {
    "unable to open database file": f"cannot be opened; {_RIGHTS}",
    "readonly database": f"is not writable; {_RIGHTS}",
    "database is locked": "is busy; try again, and look for a process that holds it",
    "disk I/O error": "cannot be read or written; look at the disk",
    "no such table": "is not of this version; run: consilium db upgrade",
    "no such column": "is not of this version; run: consilium db upgrade",
    "password authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "role ": _LOGIN,
    "does not exist": "is not there; create it on the server, or correct database_url",
    "resolve host": "has no address; correct the host in database_url",
}
"""What the drivers say (it may quote values, so it is not passed on) -> what we say."""
_STATES = {
    "55P03": "is busy; try again, and look for a process that holds it",
    "57014": "took too long; try again, and look at what keeps it busy",
    "25P03": "was kept waiting too long in the middle of a transaction; try again",
}
"""SQLSTATE of a limit that was reached (`store.limits`), whatever language the server speaks -> the same."""
_UNREADABLE = ("file is not a database", "malformed")
_DISK_FULL = "53100"
"""SQLSTATE disk_full, https://www.postgresql.org/docs/15/errcodes-appendix.html"""


def explained(url: URL, failure: DBAPIError) -> GatewayError | None:
    """The failure in a sentence, or None for one that is not the database's but the statement's."""
    said = str(failure.orig)
    if "disk is full" in said or getattr(failure.orig, "sqlstate", None) == _DISK_FULL:
        return Full(f"the disk of {_which(url)} is full")
    if any(fragment in said for fragment in _UNREADABLE):
        return Permanent(f"{_which(url)} is damaged or no SQLite file; restore it from its backup")
    if isinstance(failure, DataError):
        return Unprocessable("a value has characters or a size that the database cannot hold")
    if isinstance(failure, (OperationalError, InternalError)):
        otherwise = f"did not answer ({type(failure.orig).__name__}); check that it runs and database_url is right"
        found = (words for fragment, words in _SENTENCES.items() if fragment in said)
        sentence = _STATES.get(str(getattr(failure.orig, "sqlstate", ""))) or next(found, otherwise)
        return Transient(f"{_which(url)} {sentence}")
    return Transient(f"{_which(url)} went away") if failure.connection_invalidated else None


def _which(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"the database file {url.database}"
    host = url.host or url.query.get("host") or "localhost"
    return f"the database {url.database} at {host}:{url.port or _POSTGRESQL_PORT}"
