"""A revocation against what it stops, raced: RACES=1000 in `make soak`, fewer here."""

import os
from pathlib import Path

import pytest

from gateway.store.engine import Database
from tests.integration.store.racing import Track

RACES = int(os.environ.get("RACES", "18"))


@pytest.mark.timeout(3600)
def test_nothing_leaves_after_its_consent_has_gone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = Track(database, tmp_path, monkeypatch)
    for number in range(RACES):
        track.run(number)
    assert all(track.left.values()), track.left  # else nothing was raced
