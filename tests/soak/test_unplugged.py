"""Broker, database, bucket, EHR or PACS away in the middle of the journey: it only takes longer.

OUTAGE_S says for how long; `make soak` takes ten minutes.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.installation import TO_CLINIC, TO_REVIEWER, Stand, open_stand

OUTAGE_S = float(os.environ.get("OUTAGE_S", "3"))
PATIENCE_S = 180
pytestmark = pytest.mark.timeout(900 + 2 * OUTAGE_S)


@dataclass(frozen=True)
class Plug:
    """What is pulled, and put back."""

    out: Callable[[], object]
    back: Callable[[], object]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with open_stand(tmp_path_factory.mktemp("installation"), {"web": 1, "dicom-node": 1, "worker": 1}) as opened:
        yield opened


@pytest.mark.parametrize("name", ["broker", "database", "bucket", "ehr", "pacs"])
def test_an_outage_changes_nothing_but_the_time(name: str, stand: Stand, tmp_path: Path) -> None:
    """Once on the way to the reviewer, once on the way back."""
    theatre, plug = stand.theatre, _plug(name, stand)
    order = theatre.case_on_its_way(tmp_path)
    _be_away(plug)
    stand.settle(order, TO_REVIEWER, PATIENCE_S)
    theatre.assert_arrived_once(order)
    theatre.scene.report(order.case_id)
    _be_away(plug)
    stand.settle(order, TO_CLINIC, PATIENCE_S)
    theatre.assert_returned_once(order)
    theatre.assert_disclosed(order, *TO_REVIEWER, *TO_CLINIC)
    told = theatre.gateway.shown("audit", "verify")
    assert told["broken_at"] is None


def _be_away(plug: Plug) -> None:
    plug.out()
    time.sleep(OUTAGE_S)  # what is tested is that nobody minds how long
    plug.back()


def _plug(name: str, stand: Stand) -> Plug:
    services, theatre = stand.services, stand.theatre
    return {
        "broker": Plug(services.broker.stop, services.broker.start),
        "database": Plug(services.database.stop, services.database.start),
        "bucket": Plug(services.store.cut, services.store.mend),
        "ehr": Plug(theatre.ehr.stop, theatre.ehr.start),
        "pacs": Plug(theatre.pacs.stop, theatre.pacs.start),
    }[name]
