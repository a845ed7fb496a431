"""A case from its order to the report at the clinic, without the world outside: what leaves is said to have arrived."""

from datetime import timedelta

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryKind, DeliveryState, Receipt
from gateway.domain.party import Endpoint, EndpointRole, FhirAddress
from gateway.domain.record import Case
from gateway.domain.resource import StoredResource
from gateway.services import documents, egress, listing
from gateway.services.intake import receive
from gateway.services.recurring import begin_recurring
from gateway.store import cases, deliveries, parties, resources
from tests.integration.store.stage import Json, Stage
from tests.peers.generated import ct_series

PDF = b"%PDF-1.7 a pathology report"
DAY = timedelta(days=1)
KEEP_DAYS = 100


class Clinic:
    """What its people and the reviewer do on the stage; the clinic has an EHR."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        address = FhirAddress("https://ehr.example/fhir")
        ehr = Endpoint("ehr", "ehr", stage.clinic.id, EndpointRole.EHR, fhir=address)
        begin_recurring(stage.core)
        with stage.core.database.write("test") as connection:
            parties.add_endpoint(connection, ehr, now=stage.core.now())

    def order(self, bundle: Json | None = None, *, data: demo.CaseData | None = None, pdf: bytes = PDF) -> str:
        """Ordered, its study sent and its document cleared; gives the id of the case. `bundle` orders for `data`."""
        data = data or self.stage.case_data()
        stored = self.stage.post(bundle or demo.clinic_bundle(data, pdf))
        for ds in ct_series(slices=2, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
            receive(self.stage.core, self.stage.arrival(ds))
        documents.approve(self.stage.core, next(one.id for one in stored if one.type == "DocumentReference"), actor="n")
        self.later(self.stage.core.quiet_period * 2)
        return next(one.id for one in stored if one.type == "ServiceRequest")

    def report(self, case_id: str, number: str = "") -> None:
        """The reviewer signs a report."""
        pseudonym, now = self.case(case_id).pseudonym, self.stage.core.now()
        bundle = demo.report_bundle(pseudonym, number=number or case_id, signed_at=now)
        self.stage.post(bundle, by=self.stage.reviewer)
        self.stage.work()

    def arrive(self, case_id: str) -> None:
        """Everything of the case that was to leave has arrived, each under a grant, documents after the images."""
        with self.stage.core.database.read() as connection:
            opened = deliveries.listed(connection, case_id=case_id, states=[DeliveryState.PENDING])
        for one in sorted(opened, key=lambda one: one.kind is DeliveryKind.DOCUMENT_TO_REVIEWER):
            assert egress.grant(self.stage.core, one.id) is not None
            receipt = Receipt(self.stage.core.now(), "201", f"r/{one.id}", one.payload_sha256)
            with self.stage.core.database.write("test") as connection:
                deliveries.set_receipt(connection, one.id, receipt)

    def finished(self, pdf: bytes = PDF) -> str:
        """A case whose report is with the clinic."""
        case_id = self.order(pdf=pdf)
        self.arrive(case_id)
        self.report(case_id)
        self.arrive(case_id)
        return case_id

    def later(self, by: timedelta) -> None:
        """Time passes, and the workers do what is due then."""
        self.stage.ahead += by
        self.stage.work()

    def case(self, case_id: str) -> Case:
        """As it is now."""
        with self.stage.core.database.read() as connection:
            return cases.by_id(connection, case_id)


def until_closed(clinic: Clinic) -> None:
    """Its follow-up is over."""
    clinic.later(31 * DAY)


def destroyed(clinic: Clinic, case_id: str) -> dict[str, int]:
    """How many things of each kind were destroyed with the case, as recorded."""
    kinds: dict[str, int] = {}
    for one in listing.destructions(clinic.stage.core, case_id=case_id, limit=1000):
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
        assert one.size_bytes > 0
        assert one.reason == f"retention.keep_days = {KEEP_DAYS} after the case was closed"
    return kinds


def current(clinic: Clinic, kind: str, resource_id: str) -> StoredResource:
    """The resource as it is now."""
    with clinic.stage.core.database.read() as connection:
        return resources.current(connection, clinic.stage.clinic.id, kind, resource_id)
