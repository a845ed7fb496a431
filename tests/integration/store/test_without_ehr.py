"""A clinic without an EHR: its report waits for an administrator, and leaves once the endpoint is there."""

import pytest

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryKind, DeliveryState
from gateway.domain.errors import Conflict
from gateway.domain.party import DicomAddress, EndpointRole, FhirAddress
from gateway.domain.record import Delivery
from gateway.domain.resource import StoredResource
from gateway.services import closing, registry
from gateway.services.registry import NewEndpoint
from gateway.services.story import case_story
from gateway.store import cases, deliveries
from tests.integration.store.stage import Stage, update

ADD = "consilium endpoint add-fhir ankara-ehr BASE_URL --party ankara"


@pytest.fixture
def order(stage: Stage) -> StoredResource:
    """Of a case without images, whose report is signed: no PACS of the clinic owns a study that it would belong to."""
    stored = {one.type: one for one in stage.post(demo.clinic_bundle(stage.case_data(), b"%PDF-1.7"))}
    with stage.core.database.read() as connection:
        pseudonym = cases.by_id(connection, stored["ServiceRequest"].id).pseudonym
    bundle = demo.report_bundle(pseudonym, number="1", signed_at=stage.core.now())
    stage.post(bundle, by=stage.reviewer)
    stage.work()
    return stored["ServiceRequest"]


def _add_endpoint(stage: Stage) -> None:
    new = NewEndpoint("ankara-ehr", EndpointRole.EHR, fhir=FhirAddress("https://ehr.example/fhir"))
    core = stage.core
    registry.register_endpoint(core.database, party_name="ankara", new=new, actor="cli:test", now=core.now())
    stage.work()


def _opened(stage: Stage, order: StoredResource) -> list[Delivery]:
    with stage.core.database.read() as connection:
        return deliveries.listed(connection, case_id=order.id)


def _waits(stage: Stage, order: StoredResource) -> dict[str, str]:
    return {one.what: one.who for one in case_story(stage.core, order.id).waits}


def test_the_administrator_is_named_with_the_command_wherever_a_person_looks(
    stage: Stage, order: StoredResource
) -> None:
    assert _opened(stage, order) == []
    assert _waits(stage, order)["an EHR endpoint of the clinic"] == f"an administrator: {ADD}"
    with pytest.raises(Conflict, match="version 1 of the report has not left for the clinic") as refused:
        closing.close(stage.core, order.id, reason="over", actor="nurse")
    assert ADD in str(refused.value)


def test_the_endpoint_that_comes_opens_the_delivery(stage: Stage, order: StoredResource) -> None:
    _add_endpoint(stage)
    [report] = _opened(stage, order)
    assert (report.kind, report.state) == (DeliveryKind.REPORT_TO_EHR, DeliveryState.PENDING)
    assert "an EHR endpoint of the clinic" not in _waits(stage, order)


def test_a_report_of_an_order_that_has_ended_waits_and_leaves_too(stage: Stage, order: StoredResource) -> None:
    stage.post(update(order, status="completed"))
    assert _waits(stage, order) == {"an EHR endpoint of the clinic": f"an administrator: {ADD}"}
    _add_endpoint(stage)
    [report] = _opened(stage, order)
    assert report.kind is DeliveryKind.REPORT_TO_EHR
    assert any("report-to-ehr" in what for what in _waits(stage, order))


def test_an_endpoint_sends_nothing_anew_of_closed_cases(stage: Stage, order: StoredResource) -> None:
    """A report that has been on its way to another endpoint is not sent to one that comes after the case was closed."""
    _add_endpoint(stage)
    with stage.core.database.write("test") as connection:
        for one in deliveries.listed(connection, case_id=order.id):
            deliveries.change(connection, one.id, now=stage.core.now(), state=DeliveryState.CANCELLED)
    stage.post(update(order, status="completed"))
    before = _opened(stage, order)
    second = NewEndpoint("cardiology", EndpointRole.PACS, dicom=DicomAddress("CARDIO", "10.0.0.9", 104))
    core = stage.core
    registry.register_endpoint(core.database, party_name="ankara", new=second, actor="cli:test", now=core.now())
    stage.work()
    assert _opened(stage, order) == before
