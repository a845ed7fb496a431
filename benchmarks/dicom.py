"""C-STORE of 400 CT slices of 0.5 MB into the gateway, dcmtk's `storescp` and Orthanc, one association, in turn.

Every 0x0000 of the gateway is a durable promise (synced, hashed, committed); `storescp` neither syncs nor indexes,
Orthanc indexes.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.gateway_node import CALLING_AE_TITLE
from benchmarks.result import Result, compare
from gateway.domain.party import DicomAddress
from tests.peers import dcmtk, generated
from tests.peers.orthanc import Orthanc
from tests.peers.processes import LOOPBACK, Process, free_port

GROUP = "dicom"
SLICES = 400
EDGE_PIXELS = 512
ROUNDS = 3
TARGET_STORESCP = 3.0
TARGET_ORTHANC = 1.0


def run() -> list[Result]:
    """Three rounds of each receiver, fresh every time."""
    os.environ.update(dcmtk.NO_NAGLE)  # inherited by every receiver: Orthanc rests on dcmtk too
    seconds: dict[str, list[float]] = {"gateway": [], "storescp": [], "orthanc": []}
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as folder:
        files = _generate(Path(folder))
        for _ in range(ROUNDS):
            for name, receiver in (("gateway", _gateway), ("storescp", _storescp), ("orthanc", _orthanc)):
                os.sync()  # what the receiver before still has to write must not count here
                with receiver() as address:
                    seconds[name].append(_seconds_to_send(address, files))
    name = f"C-STORE, {SLICES} x 0.5 MB, s"
    return [
        compare(GROUP, name, seconds["gateway"], seconds["storescp"], "dcmtk storescp", TARGET_STORESCP),
        compare(GROUP, name, seconds["gateway"], seconds["orthanc"], "Orthanc", TARGET_ORTHANC),
    ]


def _generate(folder: Path) -> list[Path]:
    paths = []
    for number, image in enumerate(generated.ct_series(slices=SLICES, edge_pixels=EDGE_PIXELS)):
        path = folder / f"{number:04}.dcm"
        path.write_bytes(generated.part10(image))
        paths.append(path)
    return paths


def _seconds_to_send(address: DicomAddress, files: list[Path]) -> float:
    begin = time.monotonic()
    outcome = dcmtk.storescu(address, files, calling=CALLING_AE_TITLE)
    elapsed = time.monotonic() - begin
    if not outcome.is_success or outcome.stored != len(files):
        raise RuntimeError(f"{address.ae_title} took {outcome.stored} of {len(files)} objects")
    return elapsed


@contextmanager
def _gateway() -> Iterator[DicomAddress]:
    address = DicomAddress("CONSILIUM", LOOPBACK, free_port())
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as folder:
        settings = {
            "CONSILIUM_DATA_DIR": folder,
            "CONSILIUM_DICOM__PORT": str(address.port),
            "CONSILIUM_DICOM__HOST": LOOPBACK,
            "CONSILIUM_LOG__LEVEL": "WARNING",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        command = (sys.executable, "-m", "benchmarks.gateway_node")
        process = Process("gateway-node", command, folder=Path(folder), environment=settings)
        process.start(is_ready=lambda: dcmtk.echoscu(address, calling=CALLING_AE_TITLE).is_success)
        try:
            yield address
        finally:
            process.stop()


@contextmanager
def _storescp() -> Iterator[DicomAddress]:
    with dcmtk.StoreScp() as receiver:
        yield receiver.address


@contextmanager
def _orthanc() -> Iterator[DicomAddress]:
    receiver = Orthanc().start()
    try:
        yield receiver.address
    finally:
        receiver.close()


if __name__ == "__main__":
    for result in run():
        print(result)
