"""What the doctor finds, and the remedy it names."""

import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.settings import load_settings
from gateway.cli import checks
from gateway.domain.blobs import damaged
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.diagnosis import Step
from gateway.domain.errors import Transient
from gateway.domain.party import Party, PartyKind
from gateway.domain.work import JobKind, WorkerPresence
from gateway.services import second_look
from gateway.services.resources import store_internal
from gateway.services.work import sentence_of
from gateway.store import audit, clients, outbox, parties, workers
from gateway.store.clients import Client, Proof
from gateway.store.engine import Database
from gateway.store.keys import shown
from gateway.store.schema import upgrade
from gateway.wiring import open_core, start_core

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CONSILIUM_STORAGE__MIN_FREE_BYTES", "0")
    monkeypatch.setenv("CONSILIUM_DICOM__HOST", "127.0.0.1")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def found() -> dict[str, Step]:
    return {step.name: step for step in checks.checked(load_settings())}


def test_this_machine_is_well() -> None:
    machine = ("Python", "packages", "Pango", "fonts", "time zones", "data folder", "pseudonym key", "database")
    assert [name for name in machine if not found()[name].is_ok] == []


def test_a_database_without_its_tables(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path}/data/consilium.db").dispose()
    (tmp_path / "data" / "consilium.db").touch()
    assert "consilium db upgrade" in found()["database"].remedy
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    database.dispose()
    assert found()["database"].is_ok


def test_an_open_key_file(tmp_path: Path) -> None:
    key = tmp_path / "data" / "keys" / "pseudonym.key"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"k" * 32)
    key.chmod(0o644)
    assert found()["pseudonym key"].remedy.startswith(f"chmod 600 {key}")


def test_a_named_key_file_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_PSEUDONYM__KEY_FILE", "/nowhere/pseudonym.key")
    assert "Restore" in found()["pseudonym key"].remedy


def test_a_key_that_other_machines_have_is_not_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["pseudonym key"].is_ok
    monkeypatch.setenv("CONSILIUM_DATABASE_URL", "postgresql+psycopg://consilium@127.0.0.1:1/consilium")
    step = found()["pseudonym key"]
    assert not step.is_ok
    assert "another machine" in step.remedy


@pytest.mark.parametrize("setting", ["DATABASE_PASSWORD_FILE", "BLOBS__SECRET_KEY_FILE"])
@pytest.mark.parametrize(("mode", "is_private"), [(0o600, True), (0o440, True), (0o444, False), (0o660, False)])
def test_a_password_may_be_shared_with_its_server(
    setting: str, mode: int, is_private: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "database.txt"
    password.write_text("secret\n")
    password.chmod(mode)
    monkeypatch.setenv(f"CONSILIUM_{setting}", str(password))
    if setting.startswith("BLOBS"):
        monkeypatch.setenv("CONSILIUM_BLOBS__ACCESS_KEY_FILE", str(password))
    assert found()["privacy"].is_ok is is_private


def test_a_key_that_is_not_the_installations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "installation's key"
    assert found()[name].detail == "not compared; this machine has no key yet"
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    database.dispose()
    core = open_core(load_settings())
    assert "recorded by the first program that starts" in found()[name].detail
    with core.database.write("test"):
        pass
    core.database.dispose()
    assert found()[name] == Step(name, True, f"fingerprint {shown(core.pseudonym_key)}, that of this installation")
    other = tmp_path / "other.key"
    other.write_bytes(b"x" * 32)
    other.chmod(0o600)
    monkeypatch.setenv("CONSILIUM_PSEUDONYM__KEY_FILE", str(other))
    step = found()[name]
    assert not step.is_ok
    assert f"the key in {other}" in step.remedy


def test_a_blob_store_that_is_not_the_installations(tmp_path: Path) -> None:
    name = "installation's blob store"
    assert "the database comes first" in found()[name].detail
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    database.dispose()
    assert "recorded by the first program that starts" in found()[name].detail
    start_core(load_settings(), "worker").database.dispose()
    assert found()[name] == Step(name, True, "that of this installation")
    (tmp_path / "data" / "blobs").rename(tmp_path / "data" / "before")
    step = found()[name]
    assert not step.is_ok
    assert "has no mark" in step.remedy


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, taken_port: int) -> None:
    monkeypatch.setenv("CONSILIUM_WEB__PORT", str(taken_port))
    step = found()["HTTP port"]
    assert not step.is_ok
    assert str(taken_port) in step.detail


def test_files_that_others_can_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    assert found()["privacy"].is_ok
    (data / "consilium.db-wal").touch(0o600)
    assert found()["privacy"].is_ok
    (data / "consilium.db-wal").chmod(0o640)
    data.chmod(0o755)
    step = found()["privacy"]
    assert not step.is_ok
    assert step.remedy == f"chmod go= {data} {data}/consilium.db-wal"


def test_a_disk_at_its_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_STORAGE__MIN_FREE_BYTES", str(2**62))
    assert "storage.min_free_bytes" in found()["data folder"].remedy


def test_another_distribution_took_our_package_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = tmp_path / "strangers" / "consilium_stranger"
    stranger.mkdir(parents=True)
    (stranger / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(stranger.parent))
    monkeypatch.setattr(checks, "OWN_PACKAGES", ("gateway", "consilium_stranger", "consilium_absent"))
    assert found()["packages"].detail == "not ours: consilium_stranger, consilium_absent"


def test_work_that_gave_up(tmp_path: Path) -> None:
    assert found()["work"].is_ok
    (tmp_path / "data").mkdir(exist_ok=True)
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    assert found()["work"].is_ok
    with database.write("test") as connection:
        job_id = outbox.enqueue(connection, JobKind.STUDY_SETTLE, "study", case_id=None, now=NOW)
        job = outbox.claim(connection, job_id, owner="worker", now=NOW, lease_s=60, policy=DestinationPolicy())
        assert job is not None
        outbox.stop(connection, job, now=NOW, error="Permanent: no room")
    database.dispose()
    assert found()["work"] == Step("work", False, "1 jobs gave up", "Run: consilium job list")


def test_a_damaged_blob_is_named_while_the_work_on_it_is_still_tried_again(tmp_path: Path) -> None:
    assert found()["blobs"].is_ok
    (tmp_path / "data").mkdir(exist_ok=True)
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    assert found()["blobs"].is_ok
    for subject, error in (("one", damaged("ab" * 32)), ("two", damaged("ab" * 32)), ("away", Transient("away"))):
        with database.write("test") as connection:
            job_id = outbox.enqueue(connection, JobKind.STUDY_RELEASE, subject, case_id=None, now=NOW)
            job = outbox.claim(connection, job_id, owner="worker", now=NOW, lease_s=60, policy=DestinationPolicy())
            assert job is not None
            outbox.postpone(connection, job, next_try_at=NOW, error=sentence_of(error))
    database.dispose()
    step = found()["blobs"]
    assert (step.is_ok, step.detail) == (
        False,
        "2 jobs wait for: blob abababababab is damaged; restore it from the backup",
    )


def test_objects_that_came_for_a_closed_case(tmp_path: Path) -> None:
    assert found()["late objects"].is_ok
    (tmp_path / "data").mkdir(exist_ok=True)
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    assert found()["late objects"].detail == "none"
    database.dispose()
    with sqlite3.connect(tmp_path / "data" / "consilium.db") as rows:
        rows.execute(
            'INSERT INTO "case" (id, clinic_id, patient_id, pseudonym, state, created_at)'
            " VALUES ('case0', 'clinic0', 'patient0', 'CS-1', 'closed', '2026-03-01')"
        )
    rows.close()
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    with database.write("test") as connection:
        audit.record(
            connection, at=NOW, actor="matching", action=second_look.LATE, case_id="case0", subject="study/study0"
        )
    database.dispose()
    step = found()["late objects"]
    assert not step.is_ok
    assert "study0" in step.detail
    assert step.remedy == "Run for each: consilium study show ID"


def test_consents_that_cannot_be_read_any_more(tmp_path: Path) -> None:
    assert found()["consents"].is_ok
    (tmp_path / "data").mkdir(exist_ok=True)
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    assert found()["consents"] == Step("consents", True, "all can be read")
    with database.write("test") as connection:
        clinic = Party("clinic0", PartyKind.CLINIC, "ankara", (), "TR", "Europe/Istanbul")
        parties.add_party(connection, clinic, now=NOW)
        for name, status in (
            ("broken", "active"),
            ("stopped", "inactive"),
            *((f"more{n:02}", "active") for n in range(21)),
        ):
            content = {"resourceType": "Consent", "id": name, "status": status, "text": {"div": "Ayşe"}}
            store_internal(connection, "clinic0", content, now=NOW)
    database.dispose()
    step = found()["consents"]
    named = ", ".join(["broken", *(f"more{n:02}" for n in range(19))])
    assert (step.is_ok, step.detail) == (False, f"22 cannot be read: {named} and 2 more")
    assert "the clinic has sent each anew" in step.remedy


def test_clients_with_keys_need_the_address_that_their_assertions_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSILIUM_WEB__HOST", "0.0.0.0")
    assert found()["own address"].is_ok
    (tmp_path / "data").mkdir(exist_ok=True)
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    assert found()["own address"].is_ok
    with database.write("test") as connection:
        clinic = Party("clinic0", PartyKind.CLINIC, "ankara", (), "TR", "Europe/Istanbul")
        parties.add_party(connection, clinic, now=NOW)
        for name, proof in (("ehr", Proof(jwks_url="https://ehr.example/jwks")), ("lab", Proof(secret_sha256="ab"))):
            clients.add_client(connection, Client(name, clinic.id, "system/*.rs", proof, NOW))
    step = found()["own address"]
    assert (step.is_ok, step.detail) == (False, "none is set, and 1 clients have keys: ehr")
    assert "web.base_url" in step.remedy
    monkeypatch.setenv("CONSILIUM_WEB__HOST", "127.0.0.1")
    assert found()["own address"].is_ok
    monkeypatch.setenv("CONSILIUM_WEB__HOST", "0.0.0.0")
    with database.write("test") as connection:
        clients.revoke_client(connection, "ehr", now=NOW)
    database.dispose()
    assert found()["own address"].is_ok
    monkeypatch.setenv("CONSILIUM_WEB__BASE_URL", "https://gateway.example")
    assert found()["own address"] == Step("own address", True, "https://gateway.example")


def test_a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "broker" not in found()
    monkeypatch.setenv("CONSILIUM_BROKER_URL", "amqp://consilium:secret@nowhere.invalid//")
    step = found()["broker"]
    assert (step.is_ok, step.detail) == (False, "nowhere.invalid has no address.")
    assert "secret" not in step.detail + step.remedy


def test_a_queue_with_due_work_and_no_worker(tmp_path: Path) -> None:
    assert found()["workers"].is_ok
    (tmp_path / "data").mkdir(exist_ok=True)
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    assert found()["workers"].detail == "at work for deidentify 0, deliver 0, keep 0, match 0, render 0"
    assert found()["workers"].is_ok
    with database.write("test") as connection:
        outbox.enqueue(connection, JobKind.STUDY_SETTLE, "study", case_id=None, now=NOW)
    assert not found()["workers"].is_ok
    now = datetime.now(UTC)
    with database.write("test") as connection:
        workers.show(connection, "one", WorkerPresence("machine", frozenset(["match"])), now=now)
    assert found()["workers"].is_ok
    assert "match 1" in found()["workers"].detail
    with database.write("test") as connection:
        workers.show(connection, "one", WorkerPresence("machine", frozenset(["match"]), "403 refused"), now=now)
    step = found()["workers"]
    assert (step.is_ok, step.detail.partition("; ")[2]) == (False, "machine waits for the broker: 403 refused")
    database.dispose()
