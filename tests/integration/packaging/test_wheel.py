"""What is installed is ours, and whole: the wheel is built, installed into a folder of its own, and used from there."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("config", "dicom_node", "fhir_mappings", "gateway", "workers")
NOT_SHIPPED = {".pyc"}

PROBE = """
import importlib, json, pathlib, sys
names = ["config.settings", "workers", "gateway.cli", "dicom_node", "fhir_mappings"]
homes = {name: importlib.import_module(name).__file__ for name in names}
from config.settings import load_settings
from gateway.store.engine import Database
from gateway.store.readiness import is_current
from gateway.store.schema import upgrade
database = Database(load_settings().database_url_resolved)
upgrade(database)
print(json.dumps({"homes": homes, "is_current": is_current(database)}))
"""


def pip(*arguments: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")
    subprocess.run([sys.executable, "-m", "pip", *arguments[:1], *quiet, *arguments[1:]], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what is under these packages, so that nothing is written into the working tree."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    return next(folder.glob("consilium_gateway-*.whl"))


def test_every_file_of_the_packages_is_inside_and_nothing_else(wheel: Path) -> None:
    files = (path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file())
    expected = {path.relative_to(ROOT).as_posix() for path in files if path.suffix not in NOT_SHIPPED}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == expected


def test_the_licence_and_the_command_come_with_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert "consilium = gateway.cli:run" in archive.read(entry_points).decode()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_installed_packages_are_ours_and_work(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip("install", "--target", str(installed), str(wheel))
    environment = {"PYTHONPATH": str(installed), "CONSILIUM_DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-W", "error", "-c", PROBE]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    told = json.loads(answer.stdout)
    assert {name: Path(file).is_relative_to(installed) for name, file in told["homes"].items()} == dict.fromkeys(
        told["homes"], True
    )
    assert told["is_current"]
