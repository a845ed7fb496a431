"""A command costs the imports that it needs, and no others."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from sqlalchemy import insert

from gateway.cli import main
from gateway.cli.commands import COMMANDS
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from gateway.store.tables import party, resource

HEAVY = {"alembic", "celery", "fhir", "flask", "gunicorn", "httpx", "kombu", "pydicom", "pynetdicom", "weasyprint"}
HEAVY |= {"authlib", "boto3", "cryptography"}
PATIENT = "patient1"
STORES = {"config.settings", "pydantic", "sqlalchemy"}
IMPORTED = """
import sys
from gateway.cli import main
try:
    main(sys.argv[1:])
finally:
    print("imported", *sys.modules, file=sys.stderr)
"""
COLLECTED = """
import gc
from gateway.cli import entry
from gateway.cli.office import Office
def told():
    print(gc.isenabled())
    Office(None).settings
    print(gc.isenabled(), gc.get_freeze_count())
entry.main = told
entry.run()
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    settings = {"CONSILIUM_DATA_DIR": str(folder / "data"), "CONSILIUM_STORAGE__MIN_FREE_BYTES": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ended.stderr.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_name_is_a_command_with_the_summary_of_the_list(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").startswith(COMMANDS[name].summary)


def test_the_list_of_commands_imports_none_of_them(tmp_path: Path) -> None:
    for option in ("--help", "--version"):
        modules = imported(tmp_path, option)
        assert modules & (HEAVY | STORES | {"rich"}) == set()
        assert modules & {f"gateway.cli.{entry.module}" for entry in COMMANDS.values()} == set()


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            (noun, "list")
            for noun in ("case", "clinic", "client", "delivery", "document", "endpoint", "quarantine", "study")
        ),
        ("audit", "patient", PATIENT),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_list_imports_nothing_heavy(tmp_path: Path, stores: None, arguments: tuple[str, ...]) -> None:
    modules = imported(tmp_path, *arguments, "--json")
    assert modules >= STORES
    assert modules & HEAVY == set()


def test_who_saw_what_loads_neither_rich_nor_the_other_database(tmp_path: Path, stores: None) -> None:
    imported(tmp_path, "audit", "patient", PATIENT)  # which leaves a row to be shown
    assert imported(tmp_path, "audit", "patient", PATIENT) & {"rich", "sqlalchemy.dialects.postgresql"} == set()


def test_a_program_collects_once_it_has_its_settings_and_never_what_its_start_made(tmp_path: Path) -> None:
    settings = {"CONSILIUM_DATA_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", COLLECTED], cwd=tmp_path, env=settings, capture_output=True, text=True, check=True
    )
    before, has_settings, frozen = ended.stdout.split()
    assert (before, has_settings) == ("False", "True")
    assert int(frozen) > 0


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with its tables, and a patient."""
    file = tmp_path_factory.mktemp("template") / "consilium.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    now = datetime.now(UTC)
    with database.write("test.patient") as connection:
        clinic = {"id": "clinic", "kind": "clinic", "name": "clinic", "country": "TR", "time_zone": "Europe/Istanbul"}
        connection.execute(insert(party).values(**clinic, created_at=now))
        whose = {"party_id": "clinic", "type": "Patient", "version": 1, "updated_at": now}
        connection.execute(insert(resource).values(id=PATIENT, **whose))
    database.dispose()
    return file.read_bytes()


@pytest.fixture
def stores(tmp_path: Path, template: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "consilium.db").write_bytes(template)


def test_the_web_process_imports_neither_images_nor_the_workers_libraries(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import sys, gateway.app; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ended.stdout.split()) & {"celery", "kombu", "numpy", "pydicom", "pynetdicom", "weasyprint"} == set()
