"""A Provenance comes with the consents that it is about, and is decided on in the request that stores it."""

import pytest

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState, Flow
from gateway.domain.errors import Unprocessable
from gateway.services import egress
from gateway.store import deliveries, resources
from tests.integration.store.finished import Clinic
from tests.integration.store.stage import Json, full_url

SIGNATURE = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.7"}


def _provenance(target: str, **elements: object) -> Json:
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": "2026-03-02T10:00:00+03:00",
        "agent": [{"who": {"display": "registrar"}}],
        **elements,
    }


def _revision(replaced: str) -> Json:
    return {"entity": [{"role": "revision", "what": {"reference": f"Consent/{replaced}"}}]}


def test_a_signed_consent_takes_the_place_of_another_in_one_request(clinic: Clinic) -> None:
    core, data = clinic.stage.core, clinic.stage.case_data()
    case = clinic.case(clinic.order(data=data))
    with core.database.read() as connection:
        consents = resources.referring(connection, case.clinic_id, "Consent", case.patient_id)
        opened = deliveries.listed(connection, case_id=case.id)
    [older] = [one for one in consents if "disclose" in str(one.content["policy"])]
    assert {one.state for one in opened} == {DeliveryState.PENDING}

    narrow = demo.consent(data, Flow.DISCLOSE_TO_REVIEWER, f"Patient/{case.patient_id}")
    narrow["provision"]["period"] = {"end": "2026-01-31"}
    del narrow["sourceAttachment"]
    who = {"reference": f"Patient/{case.patient_id}"}
    signed = {"signature": [{"type": [SIGNATURE], "when": "2026-03-02T10:00:00Z", "who": who, "data": "c2lnbmVk"}]}
    newer, told = clinic.stage.post(narrow, _provenance(full_url(0), **signed, **_revision(older.id)))

    assert told.content["target"] == [{"reference": f"Consent/{newer.id}"}]
    with core.database.read() as connection:
        held = deliveries.listed(connection, case_id=case.id)
    assert {one.state for one in held} == {DeliveryState.HELD}
    assert all(f"superseded by Consent {newer.id} version 1" in one.waits_for for one in held)
    assert [egress.grant(core, one.id) for one in held] == [None] * len(held)


def test_what_cannot_be_evaluated_is_refused_with_all_that_came_with_it(clinic: Clinic) -> None:
    data = clinic.stage.case_data()
    case = clinic.case(clinic.order(data=data))
    consent = demo.consent(data, Flow.DISCLOSE_TO_REVIEWER, f"Patient/{case.patient_id}")
    removed = {"entity": [{"role": "removal", "what": {"reference": f"Patient/{case.patient_id}"}}]}
    with pytest.raises(Unprocessable) as refused:
        clinic.stage.post(consent, _provenance(full_url(0), **removed))
    assert refused.value.at == "Bundle.entry[1].resource.entity[0].role"
    with clinic.stage.core.database.read() as connection:
        assert len(resources.referring(connection, case.clinic_id, "Consent", case.patient_id)) == 2
    [kept] = clinic.stage.post(_provenance(f"ServiceRequest/{case.id}", **removed))
    assert kept.type == "Provenance"
