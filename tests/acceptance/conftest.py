"""The peers of the journey, started once for a test process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.orthanc import Orthanc


@pytest.fixture(scope="session")
def reviewer_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Orthanc as the reviewer's node."""
    with Orthanc(ae_title="REVIEWER", folder=tmp_path_factory.mktemp("reviewer")) as orthanc:
        yield orthanc


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for what the hospital sends."""
    return tmp_path / "files"
