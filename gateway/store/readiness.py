"""Is the database there, and does it have the tables and columns that this version works with?"""

from sqlalchemy import inspect

from gateway.domain.errors import GatewayError
from gateway.store.engine import Database
from gateway.store.tables import metadata


def database_problems(database: Database) -> list[str]:
    """What keeps the process from working, one sentence each; empty when nothing does."""
    try:
        with database.read() as connection:
            found = inspect(connection)
            tables = set(found.get_table_names())
            missing = [name for name in metadata.tables if name not in tables]
            for name in sorted(tables & set(metadata.tables)):
                columns = {column["name"] for column in found.get_columns(name)}
                missing += [
                    f"{name}.{column.name}"
                    for column in metadata.tables[name].columns.values()
                    if column.name not in columns
                ]
    except GatewayError as failure:
        return [str(failure)]
    if missing:
        return [f"the schema is not current, {', '.join(sorted(missing))} is missing: run consilium db upgrade"]
    return []
