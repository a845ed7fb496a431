"""What a machine must bring with it before it may start."""

from pathlib import Path

import pytest

from config.settings import load_settings
from gateway.domain.errors import Permanent
from gateway.store.keys import key_or_new
from gateway.wiring import open_core

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
