"""How far the audit trail has been exported, by the name of where to."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from gateway.store.tables import audit_export

SYSLOG = "syslog"
"""The collector of the settings."""


@dataclass(frozen=True)
class Exported:
    """Seals up to `position` have arrived; `failing_since` is None while it goes on."""

    name: str
    position: int
    exported_at: datetime
    failing_since: datetime | None
    last_error: str


def known(connection: Connection, name: str) -> Exported | None:
    """None before the first try."""
    row = connection.execute(select(audit_export).where(audit_export.c.name == name)).one_or_none()
    return None if row is None else Exported(**row._mapping)


def arrived(connection: Connection, name: str, position: int, *, now: datetime) -> None:
    """Everything up to `position` has arrived."""
    _set(connection, Exported(name, position, now, None, ""))


def failed(connection: Connection, name: str, error: str, *, now: datetime) -> datetime:
    """The last try was in vain; `error` holds no patient data. Gives since when all have been."""
    before = known(connection, name) or Exported(name, 0, now, None, "")
    since = before.failing_since or now
    _set(connection, Exported(name, before.position, before.exported_at, since, error))
    return since


def _set(connection: Connection, new: Exported) -> None:
    values = {"position": new.position, "exported_at": new.exported_at}
    values |= {"failing_since": new.failing_since, "last_error": new.last_error}
    if connection.execute(update(audit_export).where(audit_export.c.name == new.name).values(values)).rowcount == 0:
        connection.execute(insert(audit_export).values(values | {"name": new.name}))
