"""The settings of a bucket: who starts on it, and what stops a start."""

from pathlib import Path

import pytest

from config.errors import UnusableSettings
from config.settings import Settings, load_settings
from gateway.cli.checks import checked
from gateway.domain.errors import Permanent, Transient
from gateway.store.blobs_s3 import S3Blobs
from gateway.store.schema import upgrade
from gateway.wiring import open_blobs, open_core, open_database, start_core
from tests.peers.moto import Moto


@pytest.fixture
def settings(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a gateway whose blobs are in a bucket, its key in files."""
    monkeypatch.chdir(tmp_path)
    for name in ("access", "secret"):
        (tmp_path / f"{name}.key").write_text(f"AKIA{name}\n")
        monkeypatch.setenv(f"CONSILIUM_BLOBS__{name.upper()}_KEY_FILE", str(tmp_path / f"{name}.key"))
    monkeypatch.setenv("CONSILIUM_BLOBS__BUCKET", moto.create_bucket().name)
    monkeypatch.setenv("CONSILIUM_BLOBS__ENDPOINT", moto.endpoint)
    monkeypatch.setenv("CONSILIUM_STORAGE__MIN_FREE_BYTES", "0")
    return load_settings()


def test_the_settings_open_the_bucket(settings: Settings) -> None:
    database = open_database(settings)
    upgrade(database)
    database.dispose()
    core = open_core(settings)
    assert isinstance(open_blobs(settings, core.database), S3Blobs)
    assert core.blobs.get(core.blobs.put(b"a study")) == b"a study"
    assert not settings.blob_dir.exists()
    core.database.dispose()


def test_the_doctor_tries_the_bucket_out(settings: Settings) -> None:
    assert {step.name: step.is_ok for step in checked(settings)}["bucket"]
    away = settings.model_copy(update={"blobs": settings.blobs.model_copy(update={"bucket": "nowhere"})})
    [found] = [step for step in checked(away) if step.name == "bucket"]
    assert not found.is_ok
    assert "no such bucket" in found.detail
    assert "AKIA" not in found.detail + found.remedy


def test_a_key_without_its_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("CONSILIUM_BLOBS__SECRET_KEY_FILE", "")
    with pytest.raises(UnusableSettings, match="belong together"):
        load_settings()


def test_a_key_file_that_is_empty_stops_the_start(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(UnusableSettings, match=r"blobs\.secret_key_file: the file is empty"):
        open_core(settings)


def test_a_machine_with_another_bucket_or_none_does_not_start(settings: Settings, moto: Moto) -> None:
    database = open_database(settings)
    upgrade(database)
    database.dispose()
    for _ in range(2):  # it comes back to its own
        core = start_core(settings, "worker")
        core.blobs.check()
        core.database.dispose()
    for bucket in ("", moto.create_bucket().name):
        elsewhere = settings.model_copy(update={"blobs": settings.blobs.model_copy(update={"bucket": bucket})})
        with pytest.raises(Permanent, match="is not the blob store of this installation"):
            start_core(elsewhere, "worker")


def test_a_second_installation_does_not_start_on_the_bucket_of_the_first(settings: Settings, tmp_path: Path) -> None:
    first, own = (settings.model_copy(update={"data_dir": tmp_path / name}) for name in ("first", "second"))
    for one in (first, own):
        database = open_database(one)
        upgrade(database)
        database.dispose()
    start_core(first, "worker").database.dispose()
    with pytest.raises(Permanent, match="is the blob store of another installation"):
        start_core(own, "worker")
    core = open_core(own)
    with pytest.raises(Transient, match="is the blob store of another installation"):
        core.blobs.put(b"a study")
    core.database.dispose()
    [found] = [step for step in checked(own) if step.name == "installation's blob store"]
    assert "is the blob store of another installation" in found.remedy
    elsewhere = own.model_copy(update={"blobs": own.blobs.model_copy(update={"prefix": "second"})})
    start_core(elsewhere, "worker").database.dispose()
