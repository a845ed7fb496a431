"""A program whose settings changed since the last of its kind wrote something leaves a row that names them.

The row has no value: one may be a secret, or a path of the machine. It keeps a digest of each, which only who has the
installation's key can compare with a guess.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from gateway.store import audit
from gateway.store.turns import take_turn

_LABEL = b"consilium setting"
"""Keeps this use of the key apart (NIST SP 800-108r1 section 4)."""
_DIGITS = 16


def record_changes(
    connection: Connection, program: str, settings: Mapping[str, str], key: bytes, *, now: datetime
) -> None:
    """In the first transaction that the program writes. `settings`: name -> value, spelt alike at every start.

    The first row of a program names no change. Machines whose settings differ tell of the difference as they start.
    """
    subject = f"settings/{program}"
    digests = {name: _digest(key, name, value) for name, value in settings.items()}
    if _recorded(connection, subject) == digests:
        return
    take_turn(connection, subject)
    before = _recorded(connection, subject)
    if before == digests:  # by another process of the program, meanwhile
        return
    names = before.keys() | digests.keys() if before else ()
    audit.record(
        connection,
        at=now,
        actor=program,
        action=audit.SETTINGS_CHANGED,
        subject=subject,
        details={
            "changed": sorted(name for name in names if before.get(name) != digests.get(name)),
            "digests": digests,
        },
    )


def _recorded(connection: Connection, subject: str) -> Mapping[str, str]:
    row = audit.newest_settings(connection, subject)
    return row.details["digests"] if row is not None else {}


def _digest(key: bytes, name: str, value: str) -> str:
    """RFC 2104; the name is in it, so that two settings of one value are not seen to be alike."""
    return hmac.new(key, b"\0".join((_LABEL, name.encode(), value.encode())), hashlib.sha256).hexdigest()[:_DIGITS]
