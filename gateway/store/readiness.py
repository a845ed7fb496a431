"""Is the database there, and does it have the tables and columns that this version works with?"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gateway.domain.errors import GatewayError
from gateway.store.engine import Database
from gateway.store.tables import metadata

REVISIONS = Path(__file__).parent / "migrations" / "versions"


def database_problems(database: Database) -> list[str]:
    """What keeps the process from working, one sentence each; empty when nothing does."""
    try:
        with database.read() as connection:
            applied, missing = applied_revision(connection), _missing(connection)
    except GatewayError as failure:
        return [str(failure)]
    needed = newest_revision()
    if applied < needed:
        return [f"the schema is at revision {applied or 'none'}, this version needs {needed}: run consilium db upgrade"]
    if missing:
        return [f"the schema is not current, {', '.join(missing)} is missing: run consilium db upgrade"]
    return []


def is_current(database: Database) -> bool:
    """True when the newest revision of this version has been run; those of the next version may have been as well."""
    with database.read() as connection:
        return applied_revision(connection) >= newest_revision()


def newest_revision() -> str:
    """Files of revisions are named by number: `0002_what_it_does.py` comes after `0001_...`, and is revision 0002."""
    return max(file.name.partition("_")[0] for file in REVISIONS.glob("[0-9]*_*.py"))


def applied_revision(connection: Connection) -> str:
    """The last one that was run; '' for a database without any."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT max(version_num) FROM alembic_version")).scalar() or "")


def _missing(connection: Connection) -> list[str]:
    """Tables, and columns of the tables that are there."""
    found = inspect(connection)
    there = {name: {column["name"] for column in found.get_columns(name)} for name in found.get_table_names()}
    tables = {name: table.columns.keys() for name, table in metadata.tables.items()}
    columns = {f"{name}.{column}" for name in tables.keys() & there for column in set(tables[name]) - there[name]}
    return sorted(columns | (tables.keys() - there))
