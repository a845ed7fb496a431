"""A grant and the revocation of the consent it rests on take turns on the case, whichever comes first."""

from functools import partial

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState, EgressGrant, Flow
from gateway.domain.record import Delivery
from gateway.domain.resource import StoredResource
from gateway.services import egress
from gateway.services.intake import receive
from gateway.store import audit, deliveries
from tests.grants import is_cancelled
from tests.integration.store.overlap import overlapping
from tests.integration.store.stage import Json, Stage, update
from tests.peers.generated import ct_series

PDF = b"%PDF-1.7 a pathology report"


def _prepared(stage: Stage) -> tuple[Delivery, Json]:
    """A delivery that is ready to be granted, and the Bundle that revokes the consent for it."""
    data = stage.case_data()
    stored = stage.post(demo.clinic_bundle(data, PDF))
    for ds in ct_series(slices=1, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    stage.ahead += stage.core.quiet_period * 2
    stage.work()
    consent = next(one for one in stored if _is_for_reviewer(one))
    case_id = next(one.id for one in stored if one.type == "ServiceRequest")
    with stage.core.database.read() as connection:
        [delivery] = deliveries.listed(connection, case_id=case_id)
    assert delivery.payload_sha256
    return delivery, update(consent, status="inactive")


def _is_for_reviewer(one: StoredResource) -> bool:
    policy = demo.POLICY[Flow.DISCLOSE_TO_REVIEWER]
    return one.type == "Consent" and one.content["policy"][0]["uri"] == policy


def _is_in_force(stage: Stage, granted: EgressGrant) -> bool:
    with stage.core.database.read() as connection:
        return not is_cancelled(connection, granted)


def test_a_revocation_that_waits_for_a_grant_cancels_it(stage: Stage) -> None:
    delivery, revocation = _prepared(stage)
    granted, _ = overlapping(
        stage.core.database, partial(egress.grant, stage.core, delivery.id), partial(stage.post, revocation)
    )
    assert granted is not None
    assert not _is_in_force(stage, granted)
    with stage.core.database.read() as connection:
        assert deliveries.granting_consents(connection, delivery.id)
        assert audit.of_case(connection, delivery.case_id, actions=["egress.granted"])


def test_a_grant_that_waits_for_a_revocation_is_not_given(stage: Stage) -> None:
    delivery, revocation = _prepared(stage)
    _, granted = overlapping(
        stage.core.database, partial(stage.post, revocation), partial(egress.grant, stage.core, delivery.id)
    )
    assert granted is None
    with stage.core.database.read() as connection:
        assert deliveries.by_id(connection, delivery.id).state is DeliveryState.HELD
        assert not deliveries.has_been_granted(connection, delivery.id)
