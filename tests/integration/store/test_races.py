"""A revocation against what it stops, raced: RACES=1000 in `make soak`, fewer here."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.store.engine import Database
from tests.integration.store.raced_destinations import destinations
from tests.integration.store.racing import Kind, Outcome
from tests.integration.store.track import Track

RACES = int(os.environ.get("RACES", "12"))


@pytest.mark.timeout(3600)
def test_nothing_leaves_after_its_consent_has_gone(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    with destinations() as there:
        track = Track(database, tmp_path, there, monkeypatch)
        for number in range(RACES):
            track.run(number)
    tally, laps = track.tally, RACES // len(Kind)
    record_property("tally", str(tally))
    assert sum(outcomes[Outcome.STOPPED] for outcomes in tally.outcomes.values()) > 0, tally
    for kind, outcomes in tally.outcomes.items():  # neither side wins always
        assert outcomes[Outcome.THROUGH] >= max(laps // 10, 1), tally
        assert outcomes[Outcome.STOPPED] >= laps // 10, tally
        assert outcomes[Outcome.CUT] >= laps // 10 or kind is Kind.DOCUMENT, tally  # which is one object
        assert min(tally.places[kind].values()) >= laps // len(tally.places[kind]) // 2, tally
    assert min(tally.overtakings["sending"], tally.overtakings["revocation"]) >= RACES // 100, tally
