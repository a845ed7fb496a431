"""People who decide at once on what waits in quarantine, and what a rejection lasts for."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
from pydicom.dataset import FileDataset

from gateway.demo import resources as demo
from gateway.domain.errors import Conflict
from gateway.domain.record import Instance, Study
from gateway.domain.resource import StoredResource
from gateway.domain.story import Wait
from gateway.domain.study import InstanceState, StudyState
from gateway.services import quarantine
from gateway.services.intake import receive
from gateway.services.story import case_story
from gateway.services.waits import study_wait
from gateway.store import deliveries, studies
from gateway.store.studies import Quarantined
from tests.integration.store.overlap import outcome, overlapping
from tests.integration.store.stage import Stage, update
from tests.peers.generated import ct_series

PDF = b"%PDF-1.7 a pathology report"
Decide = Callable[..., None]


def _send(stage: Stage, *objects: FileDataset) -> None:
    """They arrive, the study goes quiet, and what follows is done."""
    for ds in objects:
        receive(stage.core, stage.arrival(ds))
    stage.ahead += stage.core.quiet_period * 2
    stage.work()


def _of_study(stage: Stage) -> tuple[Study, list[Instance], list[Quarantined]]:
    with stage.core.database.read() as connection:
        [study] = studies.listed(connection, clinic_id=stage.pacs.party_id)
        return study, studies.instances(connection, study.id), studies.quarantined(connection, study_id=study.id)


def _at_once(stage: Stage, *decisions: tuple[Decide, str]) -> tuple[str, str]:
    first, second = (
        partial(outcome, partial(decide, stage.core, entry_id, actor="nurse")) for decide, entry_id in decisions
    )
    return overlapping(stage.core.database, first, second)


def _with_other_pixels(ds: FileDataset, value: bytes) -> FileDataset:
    other = copy.deepcopy(ds)
    other.PixelData = value * len(ds.PixelData)
    return other


@pytest.mark.parametrize("first", [quarantine.accept, quarantine.reject])
@pytest.mark.parametrize("second", [quarantine.accept, quarantine.reject])
def test_of_two_decisions_at_once_the_first_stands(stage: Stage, first: Decide, second: Decide) -> None:
    ds, other = ct_series(slices=2)
    other.PatientSex = "M"
    for one in (ds, other):
        receive(stage.core, stage.arrival(one))
    _, [_, held], [entry] = _of_study(stage)
    assert held.state == InstanceState.QUARANTINED
    assert _at_once(stage, (first, entry.id), (second, entry.id)) == ("done", "refused")
    _, instances, waiting = _of_study(stage)
    expected = InstanceState.STORED if first is quarantine.accept else InstanceState.REJECTED
    assert {one.id: one.state for one in instances}[held.id] == expected
    assert waiting == []


def test_only_one_object_of_a_uid_is_accepted_of_two_at_once(stage: Stage) -> None:
    [ds] = ct_series(slices=1)
    for one in (ds, _with_other_pixels(ds, b"\1"), _with_other_pixels(ds, b"\2")):
        receive(stage.core, stage.arrival(one))
    _, [first, *_], entries = _of_study(stage)
    with stage.core.database.write("test") as connection:
        studies.set_instance_state(connection, first.id, InstanceState.REJECTED)
    assert _at_once(stage, *((quarantine.accept, entry.id) for entry in entries)) == ("done", "refused")
    _, instances, _ = _of_study(stage)
    assert [one.state for one in instances].count(InstanceState.STORED) == 1


def _rejected_study(stage: Stage) -> tuple[list[FileDataset], list[StoredResource]]:
    """Two objects whose study a person rejected, since the order named another sex; and what the clinic posted."""
    data = stage.case_data()
    stored = stage.post(demo.clinic_bundle(data, PDF))
    [patient] = [one for one in stored if one.type == "Patient"]
    stored += stage.post(update(patient, gender="male"))
    objects = ct_series(slices=2, study_instance_uid=data.study_instance_uid, accession=data.accession_number)
    _send(stage, *objects)
    _, _, [entry] = _of_study(stage)
    quarantine.reject(stage.core, entry.id, actor="nurse")
    stage.work()
    return objects, stored


def _waits(stage: Stage, stored: list[StoredResource]) -> tuple[Wait, ...]:
    return case_story(stage.core, next(one.id for one in stored if one.type == "ServiceRequest")).waits


def test_a_rejected_study_is_taken_up_when_the_same_bytes_come_again(stage: Stage) -> None:
    objects, stored = _rejected_study(stage)
    patient = [one for one in stored if one.type == "Patient"][-1]
    stage.post(update(patient, gender="female"))
    _send(stage, *objects)
    study, instances, _ = _of_study(stage)
    assert study.state is StudyState.MATCHED
    assert [one.state for one in instances] == [InstanceState.STORED] * 2
    with stage.core.database.read() as connection:
        [delivery] = deliveries.listed(connection, subject_id=study.id)
        assert len(deliveries.items(connection, delivery.id)) == 2


def test_only_what_came_again_is_used(stage: Stage) -> None:
    [first, _], stored = _rejected_study(stage)
    patient = [one for one in stored if one.type == "Patient"][-1]
    stage.post(update(patient, gender="female"))
    _send(stage, first)
    _, instances, _ = _of_study(stage)
    states = {one.sop_instance_uid: one.state for one in instances}
    assert states.pop(first.SOPInstanceUID) == InstanceState.STORED
    assert list(states.values()) == [InstanceState.REJECTED]


def test_a_rejected_study_on_two_associations_is_taken_up_once(stage: Stage) -> None:
    [ds, _], _ = _rejected_study(stage)
    arrivals = [stage.arrival(ds), stage.arrival(ds)]
    overlapping(stage.core.database, *(partial(receive, stage.core, arrival) for arrival in arrivals))
    _, instances, _ = _of_study(stage)
    assert [one.state for one in instances] == [InstanceState.STORED, InstanceState.REJECTED]


def test_the_case_names_its_rejected_study_and_who_sends_it_again(stage: Stage) -> None:
    objects, stored = _rejected_study(stage)
    study, _, _ = _of_study(stage)
    asked = f"the PACS team of ankara: correct the images or the order and send study {study.id} again by C-STORE"
    [wait] = [one for one in _waits(stage, stored) if one.what.startswith("the study")]
    assert (wait.what, wait.who) == (f"the study again: study {study.id} was rejected", asked)
    with stage.core.database.read() as connection:
        assert study_wait(connection, study) == asked
    _send(stage, *objects)
    assert not [one for one in _waits(stage, stored) if one.what.startswith("the study again")]


def test_what_waits_of_a_rejected_study_is_rejected_with_it(stage: Stage) -> None:
    data = stage.case_data()
    stored = stage.post(demo.clinic_bundle(data, PDF))
    stage.post(update(next(one for one in stored if one.type == "Patient"), gender="male"))
    [ds] = ct_series(slices=1, study_instance_uid=data.study_instance_uid, accession=data.accession_number)
    _send(stage, ds, _with_other_pixels(ds, b"\1"))
    _, _, entries = _of_study(stage)
    by_kind = {one.kind: one.id for one in entries}
    quarantine.reject(stage.core, by_kind["identity"], actor="nurse")
    with pytest.raises(Conflict, match="was rejected already"):
        quarantine.accept(stage.core, by_kind["instance"], actor="nurse")
    _, instances, waiting = _of_study(stage)
    assert [one.state for one in instances] == [InstanceState.REJECTED] * 2
    assert waiting == []


def test_an_object_that_a_person_rejected_stays_out_of_a_study_that_goes_on(stage: Stage) -> None:
    [ds, _] = ct_series(slices=2)
    other = _with_other_pixels(ds, b"\1")
    _send(stage, ds, other)
    _, _, [entry] = _of_study(stage)
    quarantine.reject(stage.core, entry.id, actor="nurse")
    _send(stage, other)
    _, instances, waiting = _of_study(stage)
    assert [one.state for one in instances] == [InstanceState.STORED, InstanceState.REJECTED]
    assert waiting == []
