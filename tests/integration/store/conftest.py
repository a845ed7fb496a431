"""Both databases: every test in this folder that asks for `database` runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from gateway.demo import resources as demo
from gateway.domain.destruction import RetentionPolicy
from gateway.services.intake import receive
from gateway.services.restoring import Target
from gateway.store import audit_chain
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.integration.store.backed_up import Gateway
from tests.integration.store.finished import KEEP_DAYS, Clinic
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.peers.moto import Moto
from tests.peers.postgres import Postgres

_TEMPLATE = "with_schema"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server whose database `with_schema` has the current schema, to be copied."""
    with Postgres() as server:
        fresh = Database(server.create_database(_TEMPLATE))
        upgrade(fresh)
        fresh.dispose()
        yield server


@pytest.fixture(scope="session")
def databases() -> dict[str, Database]:
    """URL -> for one test after the other: what SQLAlchemy has compiled stays with it."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_database_file: Path
) -> Iterator[str]:
    """Of a fresh database with the current schema."""
    if request.param == "sqlite":
        file = tmp_path_factory.getbasetemp() / "database_url.db"
        for left in ("-wal", "-shm"):
            file.with_name(file.name + left).unlink(missing_ok=True)
        shutil.copyfile(empty_database_file, file)
        yield f"sqlite:///{file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    yield server.create_database("test", template=_TEMPLATE)
    server.drop_database("test")


@pytest.fixture
def database(databases: dict[str, Database], database_url: str) -> Iterator[Database]:
    if database_url not in databases:
        databases[database_url] = Database(database_url)
    opened = databases[database_url]
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """An S3-speaking server; each test has a bucket of its own."""
    with Moto() as server:
        yield server


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Stage:
    return Stage(database, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path, stage: Stage) -> Iterator[Gateway]:
    """Its database has no tables yet."""
    folder = tmp_path / "restored"
    url, server, name = f"sqlite:///{folder / 'consilium.db'}", None, f"restored{next(_numbers)}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        assert isinstance(server, Postgres)
        url = server.create_database(name)
    database = Database(url)
    blobs = BlobDirectory(folder / "blobs")
    yield Gateway(Target(database, blobs, folder / "spool", folder / "keys" / "pseudonym.key", stage.core.now))
    database.dispose()
    if server:
        server.drop_database(name)


@pytest.fixture
def filled(stage: Stage) -> Stage:
    """A case whose study and document are on their way; something is sealed, something is not."""
    data = stage.case_data()
    stage.post(demo.clinic_bundle(data, b"%PDF-1.7 a pathology report"))
    for ds in ct_series(slices=2, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    with stage.core.database.write("test") as connection:
        assert audit_chain.seal(connection, now=stage.core.now(), limit=5) == 5
    stage.ahead += stage.core.quiet_period * 2
    stage.work()
    return stage


@pytest.fixture
def clinic(stage: Stage) -> Clinic:
    """Its cases are closed after 30 days, and destroyed KEEP_DAYS after that."""
    stage.policy = RetentionPolicy.of_days(close_after_days=30, keep_days=KEEP_DAYS)
    return Clinic(stage)
