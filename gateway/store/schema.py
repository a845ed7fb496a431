"""Bring a database to the schema of this version. Whether it is there, `readiness` tells without alembic."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from gateway.store.engine import Database
from gateway.store.limits import take_time
from gateway.store.readiness import REVISIONS
from gateway.store.tables import metadata
from gateway.store.turns import take_turn


def upgrade(database: Database) -> None:
    """Run the revisions that are missing, in one transaction. Safe to run twice and from two processes at once."""
    with database.write("schema.upgrade") as connection:
        upgrade_within(connection)


def upgrade_within(connection: Connection, revision: str = "head") -> None:
    """The same up to one revision, in a transaction of the caller's."""
    take_time(connection)
    take_turn(connection, "schema")
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def differences(database: Database) -> list[object]:
    """What the tables in the code have and the database has not, or the other way round; empty when they agree."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return list(compare_metadata(context, metadata))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(REVISIONS.parent))
    return config
