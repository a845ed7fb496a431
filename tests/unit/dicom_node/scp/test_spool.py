"""The spool: room, digests, and nothing left behind."""

import fcntl
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_node.scp.spool import SpoolFolder
from gateway.domain.errors import Full
from gateway.store.leftovers import LOCK

SIZES = (0, 1, 1000, 300_000, 5_000_000)


@pytest.mark.parametrize("size_bytes", SIZES)
def test_the_digest_is_of_the_whole_file(tmp_path: Path, size_bytes: int) -> None:
    folder = SpoolFolder(tmp_path, reserve_bytes=0)
    file = folder.create()
    content = os.urandom(size_bytes)
    for start in range(0, size_bytes, 70_001):
        file.write(memoryview(content)[start : start + 70_001])
    assert file.settle() == hashlib.sha256(content).hexdigest()
    assert file.path.read_bytes() == content
    assert file.size_bytes == size_bytes
    file.discard()
    assert not file.path.exists()
    folder.remove()


def test_a_file_moved_away_is_left_alone(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path / "spool", reserve_bytes=0)
    file = folder.create()
    file.write(b"content")
    file.settle()
    file.path.rename(tmp_path / "kept")
    file.discard()
    file.discard()
    folder.remove()
    assert (tmp_path / "kept").read_bytes() == b"content"


def test_a_half_written_file_is_discarded_while_it_is_hashed(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path, reserve_bytes=0)
    file = folder.create()
    file.write(bytes(50_000_000))
    file.discard()
    assert [path.name for path in folder.path.iterdir()] == ["lock"]
    folder.remove()


def test_a_disk_at_its_reserve_is_full(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path, reserve_bytes=1 << 60)
    with pytest.raises(Full):
        folder.create()
    folder.remove()


def test_a_start_removes_what_a_dead_node_left(tmp_path: Path) -> None:
    dead = tmp_path / "node-dead"
    dead.mkdir()
    (dead / "lock").touch()
    (dead / "half.dcm").write_bytes(b"half")
    folder = SpoolFolder(tmp_path, reserve_bytes=0)
    assert not dead.exists()
    folder.remove()


def test_a_start_spares_a_living_node(tmp_path: Path) -> None:
    living = SpoolFolder(tmp_path, reserve_bytes=0)
    file = living.create()
    other = SpoolFolder(tmp_path, reserve_bytes=0)
    assert file.path.exists()
    file.discard()
    other.remove()
    living.remove()


def test_a_node_that_stops_waits_for_one_that_starts(tmp_path: Path) -> None:
    stopping = SpoolFolder(tmp_path, reserve_bytes=0)
    with ThreadPoolExecutor(1) as pool, (tmp_path / LOCK).open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        removal = pool.submit(stopping.remove)
        with pytest.raises(TimeoutError):
            removal.result(timeout=0.3)
        assert (stopping.path / LOCK).exists()
        fcntl.flock(gate, fcntl.LOCK_UN)
        removal.result(timeout=10)
    assert not stopping.path.exists()


def test_a_start_survives_that_a_dead_nodes_folder_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when an administrator, or the sweeper of old files, is faster."""
    for name in ("node-1", "node-2"):
        (tmp_path / name).mkdir()
    found = Path.glob

    def glob(folder: Path, pattern: str) -> list[Path]:
        paths = sorted(found(folder, pattern))
        shutil.rmtree(tmp_path / "node-1")
        return paths

    monkeypatch.setattr(Path, "glob", glob)
    folder = SpoolFolder(tmp_path, reserve_bytes=0)
    assert {path.name for path in tmp_path.iterdir()} == {LOCK, folder.path.name}
    folder.remove()
