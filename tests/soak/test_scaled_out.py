"""Two web processes, two DICOM nodes and four workers on two machines do the work of one, and any of them may go."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo import resources
from tests.acceptance.installation import TO_CLINIC, TO_REVIEWER, Stand, open_stand
from tests.acceptance.scene import Order
from tests.acceptance.stage import somebody
from tests.acceptance.theatre import Theatre
from tests.peers.generated import ct_series, part10
from tests.peers.processes import PeerFailure
from tests.peers.registered_study import RegisteredStudy

NUMBERS = {"web": 2, "dicom-node": 2, "worker": 4}
WITHOUT_RELAY = {"CONSILIUM_WORKER__RELAY": "false"}
PATIENCE_S = 180
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("installation")
    with open_stand(folder, NUMBERS, worker_3=WITHOUT_RELAY, worker_4=WITHOUT_RELAY) as opened:
        yield opened


@pytest.fixture
def stand(installed: Stand) -> Stand:
    """With every program at work, whatever a test before has stopped."""
    idle = [name for name, program in installed.installation.programs.items() if not program.is_running]
    if idle:
        installed.installation.start(*idle)
    return installed


def test_any_program_may_go_and_everything_arrives_once(stand: Stand, tmp_path: Path) -> None:
    theatre, programs = stand.theatre, stand.installation.programs
    orders = [_sent_through_both_nodes(theatre, tmp_path) for _ in range(3)]
    for name in ("web-1", "dicom-node-1", "worker-1"):
        programs[name].stop()  # SIGTERM: what runs is allowed to end
    orders += [theatre.case_on_its_way(tmp_path) for _ in range(2)]
    stand.installation.start("web-1", "dicom-node-1", "worker-1")
    for name in ("web-2", "dicom-node-2", "worker-2"):
        programs[name].stop(timeout_s=0)  # SIGKILL
    orders += [theatre.case_on_its_way(tmp_path) for _ in range(2)]
    stand.installation.start("web-2", "dicom-node-2", "worker-2")
    for order in orders:
        stand.settle(order, TO_REVIEWER, PATIENCE_S)
        theatre.assert_arrived_once(order)
    for order in orders:
        theatre.scene.report(order.case_id)
    for order in orders:
        stand.settle(order, TO_CLINIC, PATIENCE_S)
        theatre.assert_returned_once(order)
        theatre.assert_disclosed(order, *TO_REVIEWER, *TO_CLINIC)


def test_all_of_them_do_some_of_the_work(stand: Stand, tmp_path: Path) -> None:
    """Who rests is given another case, some of them at once so that there is work for all."""
    done = dict.fromkeys((f"worker-{number}" for number in range(1, 5)), '"event": "job.done"')
    done |= dict.fromkeys((f"dicom-node-{number}" for number in range(1, 3)), '"event": "association_accepted"')
    programs = stand.installation.programs
    before = {name: len(programs[name].log()) for name in done}
    idle, deadline = set(done), time.monotonic() + PATIENCE_S
    while idle and time.monotonic() < deadline:
        for order in [_sent_through_both_nodes(stand.theatre, tmp_path) for _ in range(3)]:
            stand.settle(order, TO_REVIEWER, PATIENCE_S)
        idle = {name for name in done if done[name] not in programs[name].log()[before[name] :]}
    assert not idle


def test_each_node_has_a_spool_of_its_own_and_leaves_nothing_in_it(stand: Stand, tmp_path: Path) -> None:
    stand.settle(_sent_through_both_nodes(stand.theatre, tmp_path), TO_REVIEWER, PATIENCE_S)
    spools = {number: stand.installation.data_folder(number) / "spool" for number in (1, 2)}
    for spool in spools.values():
        assert len(list(spool.glob("node-*"))) == 1
        assert list(spool.rglob("*.dcm")) == []


def test_the_audit_trail_is_one_chain(stand: Stand, tmp_path: Path) -> None:
    stand.settle(_sent_through_both_nodes(stand.theatre, tmp_path), TO_REVIEWER, PATIENCE_S)
    told = stand.installation.shown("audit", "verify")
    assert told["broken_at"] is None


@pytest.mark.parametrize("name", ["web", "dicom-node", "worker"])
def test_a_machine_without_the_key_does_not_start(name: str, stand: Stand, tmp_path: Path) -> None:
    key = tmp_path / "pseudonym.key"
    program = stand.installation.program(f"{name}-9", CONSILIUM_PSEUDONYM__KEY_FILE=str(key))
    with pytest.raises(PeerFailure, match="copy it from its safe or from another machine of this installation"):
        program.start(is_ready=lambda: False)
    assert not key.exists()


def _sent_through_both_nodes(theatre: Theatre, folder: Path) -> Order:
    """A case whose two images come by an association each, one to each node, and whose document is cleared."""
    scene, person = theatre.scene, somebody()
    data = scene.case_data(patient=person)
    uid, accession = data.study_instance_uid, data.accession_number
    images = ct_series(slices=2, patient=person, study_instance_uid=uid, accession=accession)
    theatre.pacs.register(RegisteredStudy.of(images[0]))
    patient = theatre.ehr.add_patient(resources.patient_resource(data))
    theatre.ehr.add_order(resources.service_request(data, f"Patient/{patient}", "Organization/none"))
    order = scene.order(data)
    for image in images:
        sent = scene.send([part10(image)], folder)
        assert sent.is_success, sent.output
    theatre.gateway.cli("document", "approve", order.ids["DocumentReference"][0])
    return order
