"""Bring a database to the schema of this version, and tell whether it is there."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.store.engine import Database
from gateway.store.tables import metadata


def upgrade(database: Database) -> None:
    """Run the revisions that are missing, in one transaction. Safe to run twice and from two processes at once."""
    config = _config()
    with database.write("schema.upgrade") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """True when the newest revision of this version has been run."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest


def differences(database: Database) -> list[object]:
    """What the tables in the code have and the database has not, or the other way round; empty when they agree."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return list(compare_metadata(context, metadata))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
