"""The layering is kept, and each contract would notice a violation: one is planted in a copy of the tree."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
IMPORT_LINTER = PROJECT["tool"]["importlinter"]

PLANTS = {
    ("layers", "below"): [("fhir_mappings", "import gateway.services.core")],
    ("layers", "beside"): [("gateway.store", "import dicom_node.scu")],
    ("layers", "edge"): [("gateway.services", "import gateway.web.application")],
    ("layers", "root"): [("gateway.web", "import gateway.cli")],
    ("settings", "all"): [
        ("gateway.services", "from config import settings"),
        ("dicom_node.scp", "import config.settings"),
    ],
    ("services", "all"): [
        ("gateway.services", "import httpx"),
        ("gateway.services", "from workers.ehr import diagnose"),
        ("gateway.services", "import dicom_node.scu"),
    ],
    ("edges", "all"): [("gateway.web", "import celery"), ("dicom_node.scp", "from kombu import Connection")],
    ("domain", "all"): [("gateway.domain", "import pydantic"), ("gateway.domain", "import sqlalchemy.exc")],
    ("mappings", "all"): [("fhir_mappings", "import flask"), ("dicom_node.deidentify", "import gateway.store.engine")],
}
"""Contract and try -> package and statement. A try costs as much as all of them; one that went through
the layers in one tree would look for every chain between them."""


def lint(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the packages in `tree`, with the contracts of this repository."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", *arguments]
    configuration = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    return subprocess.run([*command, *configuration], cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages, sources only."""
    for name in IMPORT_LINTER["root_packages"]:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.tsv", "*.toml"))
    return tmp_path


def test_the_tree_keeps_every_contract() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout
    assert f"Contracts: {len(IMPORT_LINTER['contracts'])} kept, 0 broken." in result.stdout


@pytest.mark.parametrize("plant", PLANTS, ids="-".join)
def test_a_planted_violation_is_caught(tree: Path, plant: tuple[str, str]) -> None:
    for number, (package, statement) in enumerate(PLANTS[plant]):
        planted = tree / package.replace(".", "/") / f"planted{number}.py"
        planted.write_text(statement + "\n", encoding="utf-8")
    result = lint(tree, "--contract", plant[0])
    assert result.returncode == 1, result.stdout
    for number, (package, _) in enumerate(PLANTS[plant]):
        assert f"{package}.planted{number} ->" in result.stdout


def test_each_contract_has_a_plant() -> None:
    assert {contract for contract, _ in PLANTS} == {contract["id"] for contract in IMPORT_LINTER["contracts"]}


def test_packages_are_listed_one_by_one() -> None:
    """`config` and `workers` are names others use: automatic discovery must not decide what is installed."""
    listed = PROJECT["tool"]["setuptools"]["packages"]
    found = [
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for name in IMPORT_LINTER["root_packages"]
        for path in (ROOT / name).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(found)
