"""Which settings changed stands in the trail, and no value of any."""

import hashlib
from typing import Any

from sqlalchemy import select

from gateway.services.settings_changes import record_changes
from gateway.store.engine import Database
from gateway.store.tables import audit
from tests.core import PSEUDONYM_KEY
from tests.unit.gateway.services.test_denials import NOW

SETTINGS = {"web.host": '"0.0.0.0"', "database_url": '"postgresql://u:hunter2@db/c"', "worker.queues": "[]"}


def starts(database: Database, program: str = "web", key: bytes = PSEUDONYM_KEY, **changed: str) -> None:
    values = SETTINGS | {name.replace("__", "."): value for name, value in changed.items()}
    with database.write("test.start") as connection:
        record_changes(connection, program, values, key, now=NOW)


def rows(database: Database) -> list[Any]:
    with database.read() as connection:
        found = select(audit).where(audit.c.action == "settings.changed").order_by(audit.c.id)
        return list(connection.execute(found).all())


def told(database: Database) -> list[tuple[str, str, list[str]]]:
    return [(row.actor, row.subject, row.details["changed"]) for row in rows(database)]


def test_the_first_start_names_no_change_and_one_with_the_same_settings_leaves_nothing(database: Database) -> None:
    for _ in range(2):
        starts(database)
    assert told(database) == [("web", "settings/web", [])]
    assert rows(database)[0].details["digests"].keys() == SETTINGS.keys()


def test_what_changed_came_or_went_is_named(database: Database) -> None:
    starts(database)
    starts(database, web__host='"127.0.0.1"', web__port="80")
    starts(database, web__host='"127.0.0.1"')
    starts(database)
    assert [names for _, _, names in told(database)] == [[], ["web.host", "web.port"], ["web.port"], ["web.host"]]


def test_each_program_is_compared_with_its_own_kind(database: Database) -> None:
    starts(database)
    starts(database, "worker", web__host='"127.0.0.1"')
    starts(database)
    assert told(database) == [("web", "settings/web", []), ("worker", "settings/worker", [])]


def test_no_value_is_kept_nor_what_a_guess_could_be_compared_with(database: Database) -> None:
    starts(database, web__host=SETTINGS["database_url"])
    starts(database, "worker", key=b"another key of thirty-two bytes.")
    ours, others = (row.details for row in rows(database))
    assert "hunter2" not in str(ours)
    for value in SETTINGS.values():
        assert hashlib.sha256(value.encode()).hexdigest()[:8] not in str(ours)
    assert len(set(ours["digests"].values())) == len(SETTINGS)  # also where two have the same value
    assert not set(ours["digests"].values()) & set(others["digests"].values())
