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

PLANTS = [
    ("layers", "fhir_mappings", "import gateway.services.core"),
    ("layers", "gateway.store", "import dicom_node.scu"),
    ("layers", "gateway.services", "import gateway.web.application"),
    ("layers", "gateway.web", "import gateway.cli"),
    ("settings", "gateway.services", "from config import settings"),
    ("settings", "dicom_node.scp", "import config.settings"),
    ("services", "gateway.services", "import httpx"),
    ("services", "gateway.services", "from workers.ehr import diagnose"),
    ("services", "gateway.services", "import dicom_node.scu"),
    ("edges", "gateway.web", "import celery"),
    ("edges", "dicom_node.scp", "from kombu import Connection"),
    ("domain", "gateway.domain", "import pydantic"),
    ("domain", "gateway.domain", "import sqlalchemy.exc"),
    ("mappings", "fhir_mappings", "import flask"),
    ("mappings", "dicom_node.deidentify", "import gateway.store.engine"),
]


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


@pytest.mark.parametrize(("contract", "package", "statement"), PLANTS)
def test_a_planted_violation_is_caught(tree: Path, contract: str, package: str, statement: str) -> None:
    (tree / package.replace(".", "/") / "planted.py").write_text(statement + "\n", encoding="utf-8")
    result = lint(tree, "--contract", contract)
    assert result.returncode == 1, result.stdout
    assert f"{package}.planted" in result.stdout


def test_each_contract_has_a_plant() -> None:
    assert {plant[0] for plant in PLANTS} == {contract["id"] for contract in IMPORT_LINTER["contracts"]}


def test_packages_are_listed_one_by_one() -> None:
    """`config` and `workers` are names others use: automatic discovery must not decide what is installed."""
    listed = PROJECT["tool"]["setuptools"]["packages"]
    found = [
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for name in IMPORT_LINTER["root_packages"]
        for path in (ROOT / name).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(found)
