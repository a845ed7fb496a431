"""A Provenance tells of a consent that it was signed, or that it took another's place; each is decided on at once."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier
from gateway.services import egress, recall, revocation
from gateway.services.resources import store_internal
from gateway.store import resources, tables
from tests.unit.gateway.services.consent_acts import (
    GUARDIAN,
    actions,
    consent,
    patient,
    provenance,
    signature,
    stored,
)
from tests.unit.gateway.services.scenery import DATA, DISCLOSE, Scenery, replace_client

CONSENT_SIGNATURE = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.7"}
WITNESS = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.11"}
REVISION = "revision"


def _patient(scenery: Scenery) -> dict[str, str]:
    return {"reference": f"Patient/{scenery.case.patient_id}"}


def _replaces(consent_id: str) -> list[dict[str, Any]]:
    return [{"role": REVISION, "what": {"reference": f"Consent/{consent_id}"}}]


def _unsigned(scenery: Scenery, **elements: Any) -> str:
    return consent(scenery, DISCLOSE, without=("sourceAttachment",), **elements)


def test_a_signed_version_counts_without_a_source(scenery: Scenery) -> None:
    unsigned = _unsigned(scenery)
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    assert "neither a signature nor a source" in scenery.delivery(delivery.id).waits_for
    provenance(scenery, f"Consent/{unsigned}/_history/1", signature=[signature(_patient(scenery), CONSENT_SIGNATURE)])
    assert scenery.delivery(delivery.id).state is DeliveryState.PENDING
    assert egress.grant(scenery.core, delivery.id) is not None
    assert ("ankara-client", "consent.attested") in actions(scenery)


def test_what_came_for_a_patient_without_a_case_is_recorded_under_the_patient(scenery: Scenery) -> None:
    nobody = patient(scenery)
    given = consent(scenery, DISCLOSE, patient_id=nobody)
    consent(scenery, DISCLOSE, patient_id=nobody, of=given, status="inactive")
    with scenery.core.database.read() as connection:
        rows = connection.execute(tables.audit.select().where(tables.audit.c.action == "consent.stored")).all()
    assert [(one.case_id, one.patient_id, one.subject, one.details) for one in rows] == [
        (None, nobody, f"Consent/{given}/_history/1", {"status": "active"}),
        (None, nobody, f"Consent/{given}/_history/2", {"status": "inactive"}),
    ]


def test_the_next_version_is_not_signed_by_it(scenery: Scenery) -> None:
    unsigned = _unsigned(scenery)
    provenance(scenery, f"Consent/{unsigned}/_history/1", signature=[signature(_patient(scenery))])
    delivery = scenery.images("1.1")
    _unsigned(scenery, of=unsigned)
    assert egress.grant(scenery.core, delivery.id) is None
    provenance(scenery, f"Consent/{unsigned}/_history/1", signature=[signature(_patient(scenery))])
    assert egress.grant(scenery.core, delivery.id) is None


def test_what_one_request_stored_needs_no_number(scenery: Scenery) -> None:
    unsigned = _unsigned(scenery)
    delivery = scenery.images("1.1")
    with scenery.core.database.write("test") as connection:
        known = resources.current(connection, "ankara", "Consent", unsigned)
        again = store_internal(connection, "ankara", known.content, now=scenery.clock())
        content = {"resourceType": "Provenance", "target": [{"reference": f"Consent/{unsigned}"}]}
        content |= {"signature": [signature(_patient(scenery))]}
        told = store_internal(connection, "ankara", content, now=scenery.clock())
        revocation.consent_stored(connection, again)
        revocation.provenance_stored(connection, told)
    assert egress.grant(scenery.core, delivery.id) is not None
    scenery.clock.forward(minutes=1)
    with pytest.raises(Unprocessable, match="name the version"):
        provenance(scenery, f"Consent/{unsigned}", signature=[signature(_patient(scenery))])


def test_a_representative_named_by_the_consent_may_sign_it(scenery: Scenery) -> None:
    unsigned = _unsigned(scenery, performer=[GUARDIAN])
    provenance(scenery, f"Consent/{unsigned}/_history/1", signature=[signature(GUARDIAN)])
    other = {"identifier": GUARDIAN["identifier"] | {"value": "somebody"}}
    with pytest.raises(Unprocessable, match="who signs") as refused:
        provenance(scenery, f"Consent/{unsigned}/_history/1", signature=[signature(other)])
    assert refused.value.at == "Provenance.signature[0].who"


def test_a_revision_takes_the_place_of_the_older_one_and_recalls_what_left_under_it(scenery: Scenery) -> None:
    older = scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    granted = egress.grant(scenery.core, delivery.id)
    assert granted is not None
    other = demo.consent(replace(DATA, reviewer=Identifier("https://parties.example", "another")), DISCLOSE, "")
    newer = consent(scenery, DISCLOSE, provision=other["provision"])
    assert recall.recall_lines(scenery.core, limit=10) == []
    provenance(scenery, f"Consent/{newer}/_history/1", entity=_replaces(older))
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    [notice] = recall.recall_lines(scenery.core, limit=10)
    assert notice.reason == f"consent {newer} version 1 no longer permits what had been granted before"


def test_a_signature_after_time_ended_it_recalls_nothing(scenery: Scenery) -> None:
    ended = scenery.consent(DISCLOSE, ends=scenery.clock())
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is not None
    scenery.clock.forward(days=1)
    provenance(scenery, f"Consent/{ended}/_history/1", signature=[signature(_patient(scenery))])
    assert recall.recall_lines(scenery.core, limit=10) == []


@pytest.mark.parametrize(
    ("elements", "at"),
    [
        ({"signature": [signature({"display": "x"}, WITNESS)]}, "Provenance.signature[0].type"),
        ({"signature": [signature({"display": "x"}) | {"data": ""}]}, "Provenance.signature[0].data"),
        ({"entity": [{"role": "removal", "what": {"reference": "Consent/c1"}}]}, "Provenance.entity[0].role"),
        ({"entity": [{"role": REVISION, "what": {"display": "the old one"}}]}, "Provenance.entity[0].what"),
        ({"activity": {"coding": [{"system": "urn:x", "code": "NULLIFY"}]}}, "Provenance.activity"),
    ],
)
def test_what_is_not_evaluated_is_refused(scenery: Scenery, elements: dict[str, Any], at: str) -> None:
    given = scenery.consent(DISCLOSE)
    with pytest.raises(Unprocessable) as refused:
        provenance(scenery, f"Consent/{given}/_history/1", **elements)
    assert refused.value.at == at


def test_a_consent_of_another_patient_is_not_replaced(scenery: Scenery) -> None:
    own, other = scenery.consent(DISCLOSE), consent(scenery, DISCLOSE, patient_id=patient(scenery))
    with pytest.raises(Unprocessable, match="not of one patient"):
        provenance(scenery, f"Consent/{own}/_history/1", entity=_replaces(other))


def test_one_of_a_consent_is_never_changed(scenery: Scenery) -> None:
    given = scenery.consent(DISCLOSE)
    kept = provenance(scenery, f"Consent/{given}/_history/1")
    for target in (f"Consent/{given}/_history/1", f"Patient/{scenery.case.patient_id}"):
        with pytest.raises(Unprocessable, match="stays as it is"):
            stored(scenery, kept.content | {"target": [{"reference": target}]}, revocation.provenance_stored)


def test_the_gateway_writes_down_who_ended_a_consent(scenery: Scenery) -> None:
    given = scenery.consent(DISCLOSE)
    scenery.consent(DISCLOSE, status="inactive", of=given)
    scenery.consent(DISCLOSE, status="rejected", of=given)
    with scenery.core.database.read() as connection:
        [written] = resources.referring(connection, "ankara", "Provenance", given, parameter="target")
    assert written.content["target"] == [{"reference": f"Consent/{given}/_history/2"}]
    assert written.content["entity"] == [{"role": REVISION, "what": {"reference": f"Consent/{given}/_history/1"}}]
    assert written.content["recorded"] == "2026-03-02T09:00:00.000+00:00"
    assert written.content["agent"] == [{"who": {"display": "ankara-client"}}]
    assert replace_client(written).client_id == "ankara-client"
