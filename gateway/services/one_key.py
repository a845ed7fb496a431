"""An installation has one pseudonym key: whoever writes to it first records which, and every program compares its own.

With two keys a patient's objects would leave under two sets of pseudonyms and UIDs, depending on the machine.
"""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from gateway.domain.errors import Permanent, Transient
from gateway.domain.pseudonym import is_pseudonym_token, pseudonym_token
from gateway.domain.record import Case
from gateway.store import cases, installation
from gateway.store.engine import Database
from gateway.store.keys import FINGERPRINT_SHOWN, fingerprint_of, shown


def known_problem(database: Database, key: bytes, path: Path) -> str:
    """As `problem`, as far as is known: '' for a database that does not answer or is of an earlier version."""
    try:
        with database.read() as connection:
            return problem(connection, key, path) if installation.is_there(connection) else ""
    except Transient:
        return ""


def confirm(connection: Connection, key: bytes, path: Path, *, now: datetime) -> None:
    """From now on at the latest this is the key of the installation.

    Raises Permanent when it is another one, and Transient for a database of an earlier version.
    """
    if not installation.is_there(connection):
        raise Transient("the database is not of this version; run: consilium db upgrade")
    is_recorded = installation.fingerprint(connection) is not None
    if not is_recorded:
        installation.take_turn_to_record(connection)
        is_recorded = installation.fingerprint(connection) is not None
    if found := problem(connection, key, path):
        raise Permanent(found)
    if not is_recorded:
        installation.record_fingerprint(connection, fingerprint_of(key), now=now)


def problem(connection: Connection, key: bytes, path: Path) -> str:
    """Why the key in `path` must not be used here, and what to do; '' for none.

    An installation of an earlier version has recorded nothing: there the newest case's pseudonym tells of its key.
    """
    recorded = installation.fingerprint(connection)
    if recorded == fingerprint_of(key) or (recorded is None and _has_made_the_pseudonyms(connection, key)):
        return ""
    known = "the one its pseudonyms were made with" if recorded is None else recorded[:FINGERPRINT_SHOWN]
    return (
        f"the key in {path} (fingerprint {shown(key)}) is not that of this installation ({known}); replace the file by "
        "the copy in its safe, on another machine, or in a backup (pseudonym.key beside its manifest), and start again"
    )


def _has_made_the_pseudonyms(connection: Connection, key: bytes) -> bool:
    newest = cases.listed(connection, limit=1)
    return all(_is_pseudonym_of(case, key) for case in newest)


def _is_pseudonym_of(case: Case, key: bytes) -> bool:
    """Whatever the prefix of pseudonyms was when the case was opened."""
    if not is_pseudonym_token(case.pseudonym):
        return True
    prefixes = [case.pseudonym[:length] for length in (1, 2) if case.pseudonym[:length].isalpha()]
    return case.pseudonym in {pseudonym_token(key, "case", case.id, prefix=one) for one in prefixes}
