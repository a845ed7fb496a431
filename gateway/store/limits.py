"""How long a PostgreSQL server goes on with what may never end; it ends it then, and the work is tried again.

Without them a statement behind a forgotten lock would hold its thread for ever, and a client that is stuck in the
middle of a transaction everybody behind it. An administrator sets others in `database_url` (`options`).
https://www.postgresql.org/docs/15/runtime-config-client.html
"""

from sqlalchemy import Connection

_LIMITS = {
    "lock_timeout": "60s",  # a transaction of ours lasts a few seconds at most
    "statement_timeout": "300s",  # a search or a count over everything there is takes some seconds
    "idle_in_transaction_session_timeout": "900s",  # between two statements of ours are milliseconds
}
OPTIONS = " ".join(f"-c {name}={value}" for name, value in _LIMITS.items())
"""What each connection asks for (https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNECT-OPTIONS)."""


def take_time(connection: Connection) -> None:
    """In this transaction nothing is ended: an upgrade, a backup, a restore or a turn takes as long as it takes."""
    if connection.dialect.name == "postgresql":
        for name in _LIMITS:
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")
