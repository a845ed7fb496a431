"""What `make demo` says on a machine that lacks the system packages, and cannot be given them by itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools" / "system-packages.sh"
INSTALLED = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The folder that is all of PATH there; the shell itself and grep are at hand everywhere."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("grep", "env"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def _command(machine: Path, name: str, script: str) -> None:
    (machine / name).write_text(script)
    (machine / name).chmod(0o755)


def _said(machine: Path) -> tuple[int, str]:
    shell = shutil.which("sh")
    assert shell is not None
    surroundings = {**os.environ, "PATH": str(machine), "PYTHON": sys.executable}
    ended = subprocess.run(
        [shell, SCRIPT, "runtime"], env=surroundings, capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def test_another_system_is_told_what_to_install(machine: Path) -> None:
    status, said = _said(machine)
    assert status == 1
    assert "this is no Debian or Ubuntu system. Install what these packages hold: libpango-1.0-0" in said


def test_whoever_is_not_root_is_told_the_command(machine: Path) -> None:
    _command(machine, "dpkg-query", '#!/bin/sh\n[ "$3" = tzdata ] || exit 1\necho installed\n')
    _command(machine, "apt-get", "#!/bin/sh\necho must not be run >&2\nexit 9\n")
    _command(machine, "id", "#!/bin/sh\necho 1000\n")
    status, said = _said(machine)
    assert status == 1
    assert "try again: sudo apt-get install --no-install-recommends libpango-1.0-0" in said
    assert "fonts-noto-core" in said
    assert "tzdata" not in said
    assert "must not be run" not in said


def test_a_machine_that_has_everything_is_told_nothing(machine: Path) -> None:
    _command(machine, "dpkg-query", "#!/bin/sh\necho installed\n")
    _command(machine, "apt-get", INSTALLED)
    assert _said(machine) == (0, "")
