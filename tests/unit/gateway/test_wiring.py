"""What a machine must bring with it before it may start."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select

from config.settings import Settings, load_settings
from gateway.domain.errors import Permanent, Transient
from gateway.services.core import Core
from gateway.store import audit, installation
from gateway.store.keys import fingerprint_of, key_or_new, shown
from gateway.store.schema import upgrade
from gateway.store.tables import audit as trail
from gateway.wiring import key_problem, open_core, open_database, start_core

SERVER = "postgresql+psycopg://consilium@127.0.0.1:1/consilium"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("CONSILIUM_CONFIG", raising=False)


def test_alone_on_sqlite_the_key_is_made_at_the_first_start(tmp_path: Path) -> None:
    core = open_core(load_settings())
    core.database.dispose()
    assert (tmp_path / "data" / "keys" / "pseudonym.key").read_bytes() == core.pseudonym_key


def test_machines_that_share_a_database_make_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_DATABASE_URL", SERVER)
    with pytest.raises(Permanent, match="copy it from its safe or from another machine of this installation"):
        open_core(load_settings())
    assert list(tmp_path.rglob("*.key")) == []


def test_a_key_that_was_brought_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_DATABASE_URL", SERVER)
    key = key_or_new(tmp_path / "data" / "keys" / "pseudonym.key")
    core = open_core(load_settings())
    core.database.dispose()
    assert core.pseudonym_key == key


def _another_machine(monkeypatch: pytest.MonkeyPatch, folder: Path, key: bytes) -> Path:
    """Of the same installation, with a key file of its own."""
    path = folder / "another.key"
    path.write_bytes(key)
    path.chmod(0o600)
    monkeypatch.setenv("CONSILIUM_PSEUDONYM__KEY_FILE", str(path))
    return path


def _written(core: Core) -> None:
    with core.database.write("test") as connection:
        audit.record(connection, at=core.now(), actor="test", action="test")
    core.database.dispose()


def _upgraded() -> None:
    database = open_database(load_settings())
    upgrade(database)
    database.dispose()


def test_a_machine_with_another_key_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _upgraded()
    first = open_core(load_settings())
    _written(first)
    path = _another_machine(monkeypatch, tmp_path, b"x" * 32)
    with pytest.raises(Permanent, match=f"the key in {path} .* is not that of this installation") as refused:
        open_core(load_settings())
    assert "replace the file by the copy" in str(refused.value)
    assert fingerprint_of(first.pseudonym_key)[:16] in str(refused.value)
    _another_machine(monkeypatch, tmp_path, first.pseudonym_key)
    _written(open_core(load_settings()))


def test_whoever_starts_before_the_database_is_there_writes_nothing_with_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _another_machine(monkeypatch, tmp_path, b"x" * 32)
    early = open_core(load_settings())
    with pytest.raises(Transient, match="consilium db upgrade"):
        _written(early)
    monkeypatch.delenv("CONSILIUM_PSEUDONYM__KEY_FILE")
    _upgraded()
    _written(open_core(load_settings()))
    with pytest.raises(Transient, match="is not that of this installation"):
        _written(early)
    with pytest.raises(Transient, match="is not that of this installation"):
        _written(early)
    monkeypatch.setenv("CONSILIUM_PSEUDONYM__KEY_FILE", str(tmp_path / "another.key"))
    assert "is not that of this installation" in key_problem(load_settings(), early)
    early.database.dispose()


def test_a_key_that_was_lost_is_not_made_anew(tmp_path: Path) -> None:
    _upgraded()
    _written(open_core(load_settings()))
    key = tmp_path / "data" / "keys" / "pseudonym.key"
    key.unlink()
    with pytest.raises(Permanent, match="copy it from its safe"):
        open_core(load_settings())
    assert not key.exists()


def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> Settings:
    """One of several that share a database and the key, each with a data folder of its own and no bucket."""
    monkeypatch.setenv("CONSILIUM_DATABASE_URL", f"sqlite:///{tmp_path}/shared.db")
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / name))
    if not (tmp_path / "another.key").exists():
        _another_machine(monkeypatch, tmp_path, b"k" * 32)
    return load_settings()


def test_a_machine_with_a_blob_store_of_its_own_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _machine(monkeypatch, tmp_path, "first")
    _upgraded()
    for _ in range(2):  # it comes back to its own
        core = start_core(first, "worker")
        core.blobs.put(b"a study")
        core.database.dispose()
    second = _machine(monkeypatch, tmp_path, "second")
    with pytest.raises(Permanent, match=r"second/blobs is not the blob store of .* it has no mark; .* one bucket, "):
        start_core(second, "worker")
    (tmp_path / "first" / "blobs").rename(tmp_path / "moved")
    (tmp_path / "second" / "blobs").rename(tmp_path / "away")
    (tmp_path / "moved").rename(tmp_path / "second" / "blobs")  # the mark goes along with the blobs
    core = start_core(second, "worker")
    assert list(core.blobs.digests())
    core.database.dispose()


def test_whoever_starts_before_the_database_is_there_touches_no_blob_of_another_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = start_core(_machine(monkeypatch, tmp_path, "early"), "worker")
    with pytest.raises(Transient, match="consilium db upgrade"):
        early.blobs.put(b"a study")
    _upgraded()
    first = start_core(_machine(monkeypatch, tmp_path, "first"), "worker")
    digest = first.blobs.put(b"a study")
    first.database.dispose()
    for touch in (
        lambda: early.blobs.put(b"a study"),
        lambda: early.blobs.get(digest),
        lambda: list(early.blobs.stream(digest)),
        lambda: early.blobs.size_bytes(digest),
        lambda: early.blobs.remove_stale(digest, before_s=0),
        early.blobs.check,
    ):
        with pytest.raises(Transient, match=r"early/blobs is not the blob store of this installation"):
            touch()
    assert not [each for each in (tmp_path / "early" / "blobs").rglob("*") if each.is_file()]
    early.database.dispose()


def test_of_two_machines_that_start_at_once_one_records_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = [_machine(monkeypatch, tmp_path, name) for name in ("first", "second")]
    _upgraded()
    barrier = Barrier(2)

    def start(settings: Settings) -> str:
        barrier.wait()
        try:
            core = start_core(settings, "worker")
        except Permanent:
            return "refused"
        core.database.dispose()
        return "started"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(start, machines)) == ["refused", "started"]


def test_the_machine_whose_key_counts_marks_the_store_that_two_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one may not mark it first: then nobody could use it."""
    _upgraded()
    first = load_settings()
    _another_machine(monkeypatch, tmp_path, b"x" * 32)
    second, first_core = open_core(load_settings()), open_core(first)
    _written(first_core)
    with pytest.raises(Transient, match=r"another\.key .* is not that of this installation .* replace the file"):
        second.blobs.put(b"a study")
    second.database.dispose()
    core = start_core(first, "worker")
    assert core.blobs.identity().endswith(f".{shown(first_core.pseudonym_key)}")
    core.database.dispose()


def test_a_new_installation_refuses_a_store_that_an_earlier_version_marked(tmp_path: Path) -> None:
    _upgraded()
    (tmp_path / "data" / "blobs").mkdir(parents=True, exist_ok=True)
    (tmp_path / "data" / "blobs" / "installation").write_text("0123-of-an-earlier-version")
    with pytest.raises(Permanent, match=r"of another installation \(key fingerprint unknown, .* a bucket or a prefix"):
        start_core(load_settings(), "worker")


def test_an_upgraded_installation_goes_on_with_the_store_that_its_earlier_version_marked(tmp_path: Path) -> None:
    _upgraded()
    core = open_core(load_settings())
    mark = core.blobs.mark("0123-of-an-earlier-version")
    with core.database.write("test") as connection:
        installation.record_blob_store(connection, mark)
    core.database.dispose()
    core = start_core(load_settings(), "worker")
    assert core.blobs.get(core.blobs.put(b"a study")) == b"a study"
    core.database.dispose()


def _settings_rows(core: Core) -> list[tuple[str, list[str]]]:
    with core.database.read() as connection:
        rows = connection.execute(select(trail).where(trail.c.action == "settings.changed").order_by(trail.c.id)).all()
    return [(row.actor, row.details["changed"]) for row in rows]


def test_a_program_records_changed_settings_before_it_writes_anything_else_and_a_command_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _upgraded()
    command = open_core(load_settings())
    _written(command)
    assert _settings_rows(command) == []
    for quiet_period_s in ("60", "60", "61"):
        monkeypatch.setenv("CONSILIUM_STUDY__QUIET_PERIOD_S", quiet_period_s)
        core = start_core(load_settings(), "worker")
        _written(core)
        _written(core)
        core.database.dispose()
    assert _settings_rows(command) == [("worker", []), ("worker", ["study.quiet_period_s"])]
    command.database.dispose()


def test_of_two_processes_that_start_at_once_one_records_the_change() -> None:
    _upgraded()
    cores, barrier = [start_core(load_settings(), "web") for _ in range(2)], Barrier(2)

    def write(core: Core) -> None:
        barrier.wait()
        _written(core)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, cores))
    assert _settings_rows(cores[0]) == [("web", [])]
    for core in cores:
        core.database.dispose()
