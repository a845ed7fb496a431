"""Two associations of one PACS at once: one study, each object once, and nothing overlooked."""

import copy
from functools import partial

from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid
from sqlalchemy import select

from gateway.domain import hooks
from gateway.domain.record import Instance
from gateway.domain.study import InstanceState
from gateway.domain.work import JobKind
from gateway.services.intake import receive
from gateway.store import studies
from gateway.store.tables import outbox as jobs
from tests.integration.store.overlap import overlapping
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series


def _received_at_once(stage: Stage, first: FileDataset, second: FileDataset) -> list[Instance]:
    arrivals = [stage.arrival(ds) for ds in (first, second)]
    overlapping(stage.core.database, *(partial(receive, stage.core, arrival) for arrival in arrivals))
    with stage.core.database.read() as connection:
        return [
            one
            for study in studies.listed(connection, clinic_id=stage.pacs.party_id)
            for one in studies.instances(connection, study.id)
        ]


def test_a_new_study_on_two_associations_is_one_study_at_the_first_attempt(stage: Stage) -> None:
    reached: list[str] = []
    hooks.observe(reached.append)
    try:
        kept = _received_at_once(stage, *ct_series(slices=2))
    finally:
        hooks.forget(reached.append)
    assert [one.state for one in kept] == [InstanceState.STORED] * 2
    assert reached.count("intake.before_commit") == reached.count("intake.after_commit") == 2
    with stage.core.database.read() as connection:
        [study] = studies.listed(connection, clinic_id=stage.pacs.party_id)
        assert connection.execute(select(jobs.c.kind, jobs.c.subject_id)).all() == [(JobKind.STUDY_SETTLE, study.id)]


def test_the_same_object_on_two_associations_is_kept_once(stage: Stage) -> None:
    [ds] = ct_series(slices=1)
    [kept] = _received_at_once(stage, ds, ds)
    assert kept.state == InstanceState.STORED
    assert stage.core.blobs.get(kept.blob_sha256)


def test_another_object_under_the_same_uid_is_not_taken_beside_the_first(stage: Stage) -> None:
    [ds] = ct_series(slices=1)
    other = copy.deepcopy(ds)
    other.PixelData = bytes(len(ds.PixelData))
    kept = _received_at_once(stage, ds, other)
    assert sorted(one.state for one in kept) == [InstanceState.QUARANTINED, InstanceState.STORED]


def test_nor_when_it_says_it_is_of_another_study(stage: Stage) -> None:
    [ds] = ct_series(slices=1)
    other = copy.deepcopy(ds)
    other.StudyInstanceUID = generate_uid()
    other.PixelData = bytes(len(ds.PixelData))
    kept = _received_at_once(stage, ds, other)
    assert sorted(one.state for one in kept) == [InstanceState.QUARANTINED, InstanceState.STORED]
