"""The key file: made once, private, whole."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.domain.errors import Permanent
from gateway.domain.pseudonym import pseudonymous_uid
from gateway.store.keys import existing_key, fingerprint_of, key_or_new, shown


def test_processes_that_start_together_end_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "pseudonym.key"
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(key_or_new, [path] * 16))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["pseudonym.key"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.store.keys import key_or_new

link = Path.hardlink_to

def die(path, partial):
    if sys.argv[2] == "after":
        link(path, partial)
    os.kill(os.getpid(), signal.SIGKILL)

Path.hardlink_to = die
key_or_new(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_process_leaves_no_key_beside_the_key(tmp_path: Path, when: str) -> None:
    path = tmp_path / "keys" / "pseudonym.key"
    ran = subprocess.run([sys.executable, "-c", _KILLED, str(path), when], check=False)
    assert ran.returncode == -signal.SIGKILL
    [left] = [one for one in path.parent.iterdir() if one != path]
    published = path.read_bytes() if path.exists() else None
    assert published in (None, left.read_bytes())
    assert key_or_new(path) == published or published is None
    assert [each.name for each in path.parent.iterdir()] == ["pseudonym.key"]


def test_a_key_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    assert key_or_new(path) == key_or_new(path) == existing_key(path)


def test_a_fingerprint_tells_keys_apart_and_is_nothing_that_leaves() -> None:
    key = bytes(range(32))
    fingerprints = {fingerprint_of(one) for one in (key, key[::-1], key + b"x")}
    assert len(fingerprints) == 3
    assert fingerprint_of(key) == fingerprint_of(bytes(key))
    assert shown(key) == fingerprint_of(key)[:16]
    assert str(int(fingerprint_of(key)[:32], 16)) not in pseudonymous_uid(
        key, "", "consilium pseudonym key fingerprint"
    )


def test_a_missing_key_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"cannot be read .*; copy it from its safe or from another machine"):
        existing_key(tmp_path / "pseudonym.key")


@pytest.mark.parametrize(("size", "mode", "reason"), [(31, 0o600, "shorter than 32"), (32, 0o640, "open to others")])
def test_a_key_that_is_short_or_open_is_refused(tmp_path: Path, size: int, mode: int, reason: str) -> None:
    path = tmp_path / "pseudonym.key"
    path.write_bytes(b"k" * size)
    path.chmod(mode)
    with pytest.raises(Permanent, match=reason):
        key_or_new(path)
