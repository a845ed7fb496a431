"""Where the worker is killed: one gateway without a worker, strict peers, and the hooks to be killed at."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.uid import EncapsulatedPDFStorage

from gateway.demo import resources
from tests.acceptance.clock import Clock
from tests.acceptance.gateway import Gateway
from tests.acceptance.scene import PACS_AE_TITLE, Order, Scene
from tests.peers.dcmtk import StoreScp
from tests.peers.generated import ct_series
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_pacs import StrictPacs

Arrivals = dict[str, list[bytes]]
"""SOP Instance UID -> each file that arrived under it."""


class Theatre:
    """One gateway without a worker, a strict PACS, a strict EHR, and dcmtk's storescp as the reviewer's node."""

    def __init__(self, gateway: Gateway, pacs: StrictPacs, ehr: StrictEhr, node: StoreScp, clock: Clock) -> None:
        self.gateway, self.pacs, self.ehr, self.node, self.clock = gateway, pacs, ehr, node, clock
        self.scene = Scene(gateway, pacs=pacs.address, ehr_url=ehr.base_url, node=node.address)
        self._patient_id = ehr.add_patient(resources.patient_resource(self.scene.case_data()))

    def case_on_its_way(self, folder: Path) -> Order:
        """Ordered, consented, sent and its document cleared; nothing has been worked on."""
        data = self.scene.case_data()
        [ds] = ct_series(slices=1, study_instance_uid=data.study_instance_uid, accession=data.accession_number)
        self.pacs.register(RegisteredStudy.of(ds))
        self.ehr.add_order(resources.service_request(data, f"Patient/{self._patient_id}", "Organization/none"))
        order = self.scene.order(data)
        self.scene.send_study(data, folder, slices=2)
        self.gateway.cli("document", "approve", order.ids["DocumentReference"][0])
        return order

    def settle_to_reviewer(self, order: Order) -> None:
        for kind in ("study-to-reviewer", "document-to-reviewer"):
            self.scene.wait_for_delivery(order.case_id, kind, "delivered")

    def settle_to_clinic(self, order: Order) -> None:
        for kind in ("report-to-ehr", "report-to-pacs"):
            self.scene.wait_for_delivery(order.case_id, kind, "delivered")

    def assert_arrived_once(self, order: Order) -> None:
        """Two images and the document at the reviewer's node, each once; what was in flight at the kill may be twice.

        storescp writes a file for each arrival, where an archive knows the UID. A delivery sends one object at a time,
        so that only one of its objects can have been sent and not noted; the other delivery may have one as well.
        """
        images, documents = self._arrivals(order)
        assert (len(images), len(documents)) == (2, 1)
        for arrivals in (images, documents):
            assert all(len(set(copies)) == 1 for copies in arrivals.values()), "a UID has copies that differ"
            assert sum(len(copies) - 1 for copies in arrivals.values()) <= 1, (
                "more than the object in flight came twice"
            )
        self.assert_disclosed(order, "study-to-reviewer", "document-to-reviewer")

    def _arrivals(self, order: Order) -> tuple[Arrivals, Arrivals]:
        """What came to the reviewer's node, images and documents apart."""
        pseudonym = self.scene.story(order.case_id)["pseudonym"]
        images: Arrivals = defaultdict(list)
        documents: Arrivals = defaultdict(list)
        for path in self.node.files():
            ds = pydicom.dcmread(path, stop_before_pixels=True)
            if ds.PatientID == pseudonym:
                kind = documents if ds.SOPClassUID == EncapsulatedPDFStorage else images
                kind[str(ds.SOPInstanceUID)].append(path.read_bytes())
        return images, documents

    def assert_returned_once(self, order: Order) -> None:
        """One report in the EHR and one object in the study of the PACS."""
        number = order.data.order_number
        reports = [one for one in self.ehr.reports() if one["basedOn"][0]["identifier"]["value"] == number]
        assert len(reports) == 1
        returned = [ds for ds in self.pacs.stored if ds.StudyInstanceUID == order.data.study_instance_uid]
        assert len(returned) == 1
        assert self.scene.story(order.case_id)["waits"] == []

    def assert_disclosed(self, order: Order, *kinds: str) -> None:
        """Each of these deliveries was delivered once, and no other row says so."""
        rows = self.gateway.shown("audit", "list", "--case", order.case_id, "--limit", "100000")
        delivered = [row["subject"] for row in rows if row["action"] == "delivery.delivered"]
        assert len(delivered) == len(set(delivered)) == len(kinds)


@contextmanager
def open_theatre(folder: Path, deployment: dict[str, str]) -> Iterator[Theatre]:
    """Everything running but a worker; `deployment` says what the gateway runs on."""
    clock = Clock(folder / "clock")
    settings = {"CONSILIUM_WORKER__LEASE_S": "1", **clock.settings, **deployment}
    with (
        StrictPacs(PACS_AE_TITLE) as pacs,
        StrictEhr() as ehr,
        StoreScp("REVIEWER", folder=folder / "node") as node,
        Gateway(folder, by_command=False, **settings) as gateway,
    ):
        gateway.programs["worker"].stop()
        yield Theatre(gateway, pacs, ehr, node, clock)
