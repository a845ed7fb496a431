"""What is said of a database that cannot be used: which one and what to do, and nothing that is secret."""

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, OperationalError, ProgrammingError

from gateway.domain.errors import Full, GatewayError, Permanent, Transient, Unprocessable
from gateway.store.failures import explained

POSTGRESQL = make_url("postgresql+psycopg://me:hunter2@db.example:5433/consilium")
SQLITE = make_url("sqlite:////var/lib/consilium/consilium.db")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ('FATAL:  password authentication failed for user "me"', "check database_url and database_password_file"),
        ('FATAL:  role "me" does not exist', "check database_url and database_password_file"),
        ('FATAL:  database "consilium" does not exist', "create it on the server"),
        ("failed to resolve host 'db.example'", "correct the host in database_url"),
        ("connection refused", "check that it runs"),
    ],
)
def test_a_server_that_lets_nobody_in(said: str, sentence: str) -> None:
    told = explained(POSTGRESQL, OperationalError("SELECT 1", {"name": "Ayşe"}, Exception(said)))
    assert isinstance(told, Transient)
    assert str(told).startswith("the database consilium at db.example:5433 ")
    assert sentence in str(told)
    assert not {"hunter2", "Ayşe"} & set(str(told).split())


@pytest.mark.parametrize(
    ("said", "kind", "sentence"),
    [
        ("unable to open database file", Transient, "set data_dir elsewhere"),
        ("attempt to write a readonly database", Transient, "is not writable"),
        ("database is locked", Transient, "is busy"),
        ("no such table: party", Transient, "consilium db upgrade"),
        ("database or disk is full", Full, "is full"),
    ],
)
def test_a_file_that_cannot_be_used(said: str, kind: type[GatewayError], sentence: str) -> None:
    told = explained(SQLITE, OperationalError("SELECT 1", {}, Exception(said)))
    assert isinstance(told, kind)
    assert "/var/lib/consilium/consilium.db" in str(told)
    assert sentence in str(told)


def test_a_damaged_file_is_no_matter_of_time() -> None:
    told = explained(SQLITE, DatabaseError("SELECT 1", {}, Exception("file is not a database")))
    assert isinstance(told, Permanent)
    assert "restore it from its backup" in str(told)


def test_a_value_that_no_column_holds() -> None:
    told = explained(POSTGRESQL, DataError("INSERT", {"name": "Ayşe"}, Exception("NUL (0x00) in 'Ayşe'")))
    assert isinstance(told, Unprocessable)
    assert "Ayşe" not in str(told)


class _Said(Exception):
    """What a driver raises, with the state that the server gave."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("whatever the server says in its language")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("kind", "sqlstate", "sentence"),
    [
        (ProgrammingError, "42P01", "is not of this version; run: consilium db upgrade"),
        (ProgrammingError, "42703", "is not of this version; run: consilium db upgrade"),
        (OperationalError, "40P01", "ended a transaction that waited for another one, which waited for it; try again"),
        (OperationalError, "55P03", "is busy; try again"),
    ],
)
def test_what_the_server_numbers_is_told_by_its_number(kind: type[DBAPIError], sqlstate: str, sentence: str) -> None:
    told = explained(POSTGRESQL, kind("SELECT 1", {}, _Said(sqlstate)))
    assert isinstance(told, Transient)
    assert sentence in str(told)


def test_a_wrong_statement_stays_what_it_is() -> None:
    assert explained(POSTGRESQL, ProgrammingError("SELEC", {}, Exception("syntax error"))) is None
