"""A signed report on its way to the clinic's EHR with idle queues: from our 201 to the EHR's, rendering included."""

import tempfile
import time
from pathlib import Path

from benchmarks.delivery import GROUP
from benchmarks.delivery.ehr import FastEhr
from benchmarks.result import Result, within
from gateway.domain.party import DicomAddress
from tests.acceptance.gateway import Gateway
from tests.acceptance.scene import Scene
from tests.peers.processes import LOOPBACK, wait_until

REPORTS, ROUNDS = 20, 3
LIMIT_S = 1.0
AS_INSTALLED = {"CONSILIUM_WORKER__POLL_S": "0.25", "CONSILIUM_WORKER__LEASE_S": "60"}
"""The gateway of the tests is more impatient than one that was installed."""


def run(reports: int = REPORTS, rounds: int = ROUNDS) -> list[Result]:
    """So many reports, one after another, in each round: the median of the rounds' 95th percentiles."""
    percentiles = []
    pacs, node = DicomAddress("HOSPITAL", LOOPBACK, 104), DicomAddress("REVIEWER", LOOPBACK, 104)
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, FastEhr() as ehr:
        gateway = Gateway(Path(name), by_command=True, **AS_INSTALLED).start("web", "worker")
        try:
            scene = Scene(gateway, pacs=pacs, ehr_url=ehr.url, node=node)
            _seconds(scene, ehr)  # the first one also waits for the worker to start
            for _ in range(rounds):
                seconds = sorted(_seconds(scene, ehr) for _ in range(reports))
                percentiles.append(seconds[round(0.95 * (reports - 1))])
        finally:
            gateway.stop()
            gateway.database.dispose()
    return [within(GROUP, f"signed report to EHR, 95 % of {reports}, s", percentiles, LIMIT_S)]


def _seconds(scene: Scene, ehr: FastEhr) -> float:
    order = scene.order(scene.case_data(), pdf=b"%PDF-1.7\n%%EOF\n")
    answer = scene.report(order.case_id)
    begin = time.time()
    [report_id] = [
        entry["response"]["location"].split("/_history")[0].rpartition("/")[2]
        for entry in answer["entry"]
        if "/DiagnosticReport/" in entry["response"]["location"]
    ]
    wait_until(lambda: report_id in ehr.answered_at(), timeout_s=60, waiting_for="the report in the EHR")
    return ehr.answered_at()[report_id] - begin
