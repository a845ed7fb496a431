"""A study to another node, from the first C-STORE in to the last file there: through the gateway, and through Orthanc.

The gateway decides on consent, de-identifies every object, checks what is left, and asks for its grant before each;
Orthanc is told to send the study, as it came, once it calls it stable. Each waits for 1 s of silence, the least that
Orthanc knows. https://orthanc.uclouvain.be/book/users/rest.html#sending-resources-to-remote-modalities
"""

import tempfile
import time
from pathlib import Path

from pydicom.dataset import FileDataset

from benchmarks.delivery import GROUP
from benchmarks.delivery.signed_report import AS_INSTALLED
from benchmarks.result import Result, compare
from gateway.domain.party import DicomAddress
from tests.acceptance.gateway import Gateway
from tests.acceptance.scene import Scene
from tests.peers import dcmtk
from tests.peers.generated import ct_series, part10
from tests.peers.orthanc import Orthanc
from tests.peers.processes import LOOPBACK, wait_until

SLICES, EDGE_PIXELS, ROUNDS = 100, 512, 3
TARGET = 2.0


def run(slices: int = SLICES, rounds: int = ROUNDS) -> list[Result]:
    """Rounds of both, in turn, each with a study of its own."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, dcmtk.StoreScp("REVIEWER") as node:
        folder = Path(name)
        quiet = {"CONSILIUM_STUDY__QUIET_PERIOD_S": "1"}
        nobody = f"http://{LOOPBACK}:9/fhir"
        with (
            Gateway(folder / "gateway", by_command=True, **AS_INSTALLED | quiet) as gateway,
            Orthanc(options={"StableAge": 1}) as orthanc,
        ):
            orthanc.add_modality("node", node.address.ae_title, LOOPBACK, node.address.port)
            scene = Scene(gateway, pacs=DicomAddress("HOSPITAL", LOOPBACK, 104), ehr_url=nobody, node=node.address)
            _through_gateway(scene, node, folder / "warm", 2)
            for number in range(rounds):
                ours.append(_through_gateway(scene, node, folder / f"ours{number}", slices))
                theirs.append(_through_orthanc(orthanc, folder / f"theirs{number}", slices))
    what = f"study of {slices} x 0.5 MB to a node, s"
    return [compare(GROUP, what, ours, theirs, "Orthanc, forwarding it", TARGET)]


def _through_gateway(scene: Scene, node: dcmtk.StoreScp, folder: Path, slices: int) -> float:
    data = scene.case_data()
    scene.order(data, pdf=b"%PDF-1.7\n%%EOF\n")
    series = ct_series(
        slices=slices,
        study_instance_uid=data.study_instance_uid,
        accession=data.accession_number,
        edge_pixels=EDGE_PIXELS,
    )
    paths, expected = _written(series, folder), len(node.files()) + slices
    begin = time.monotonic()
    _send(scene.gateway.address, paths, scene.pacs_ae_title)
    wait_until(lambda: len(node.files()) >= expected, timeout_s=300, waiting_for="the study at the node")
    return time.monotonic() - begin


def _through_orthanc(orthanc: Orthanc, folder: Path, slices: int) -> float:
    series = ct_series(slices=slices, edge_pixels=EDGE_PIXELS)
    paths, uid = _written(series, folder), str(series[0].StudyInstanceUID)
    begin = time.monotonic()
    _send(orthanc.address, paths, "HOSPITAL")
    wait_until(lambda: _is_stable(orthanc, uid), timeout_s=60, waiting_for="Orthanc to call the study stable")
    orthanc.store_to("node", uid)
    return time.monotonic() - begin


def _is_stable(orthanc: Orthanc, study_instance_uid: str) -> bool:
    found = orthanc.find_study(study_instance_uid)
    return found is not None and bool(found["IsStable"])


def _written(series: list[FileDataset], folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number:04}.dcm" for number in range(len(series))]
    for path, ds in zip(paths, series, strict=True):
        path.write_bytes(part10(ds))
    return paths


def _send(target: DicomAddress, paths: list[Path], calling: str) -> None:
    sent = dcmtk.storescu(target, paths, calling=calling)
    if not sent.is_success:
        raise RuntimeError(sent.output[-2000:])
