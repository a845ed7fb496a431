"""A clinic merges two records of a patient: the order follows, consents of both count, and both are forgotten."""

from datetime import datetime

import pytest

from gateway.demo import resources as demo
from gateway.domain.consent.transfer import TransferKind
from gateway.domain.delivery import DeliveryState, Flow
from gateway.domain.errors import Gone
from gateway.services import representation, transferring
from gateway.services.transferring import NewTransfer
from gateway.store import audit, authorities, deliveries, tables, transfers
from tests.integration.store.finished import DAY, KEEP_DAYS, Clinic, current, until_closed
from tests.integration.store.stage import Json, update


def _states(clinic: Clinic, case_id: str) -> set[DeliveryState]:
    with clinic.stage.core.database.read() as connection:
        return {one.state for one in deliveries.listed(connection, case_id=case_id)}


def test_the_order_follows_the_merge_and_the_case_goes_on(clinic: Clinic) -> None:
    data = clinic.stage.case_data()
    case_id = clinic.order(data=data)
    away = clinic.case(case_id).patient_id
    survivor_of: Json = demo.patient_resource(data) | {"identifier": [{"system": demo.MRN_SYSTEM, "value": "0815"}]}
    link = {"type": "replaces", "other": {"reference": f"Patient/{away}"}}
    [survivor] = clinic.stage.post(survivor_of | {"link": [link]})
    assert _states(clinic, case_id) == {DeliveryState.HELD}

    order = current(clinic, "ServiceRequest", case_id)
    clinic.stage.post(update(order, subject={"reference": f"Patient/{survivor.id}"}))
    assert clinic.case(case_id).patient_id == survivor.id
    assert _states(clinic, case_id) == {DeliveryState.PENDING}
    with clinic.stage.core.database.read() as connection:
        [row] = audit.of_case(connection, case_id, actions=("case.follow-merge",))
    assert row.details == {"from": f"Patient/{away}", "to": f"Patient/{survivor.id}"}

    clinic.arrive(case_id)
    clinic.report(case_id)
    clinic.arrive(case_id)
    until_closed(clinic)
    clinic.later(KEEP_DAYS * DAY)
    for patient_id in (away, survivor.id):
        with pytest.raises(Gone):
            current(clinic, "Patient", patient_id)


def test_transfers_and_authorities_are_kept_as_they_were_recorded(clinic: Clinic) -> None:
    core, clinic_id = clinic.stage.core, clinic.stage.clinic.id
    consent = demo.consent(clinic.stage.case_data(), Flow.DISCLOSE_TO_REVIEWER, f"Patient/{_patient(clinic)}")
    [given] = clinic.stage.post(consent | {"performer": [{"identifier": {"system": "urn:oid:1.2", "value": "7"}}]})
    representation.record(core, given.id, basis="a court order", last="2099-01-31", actor="officer")
    with core.database.write("test") as connection:
        connection.execute(tables.party.update().where(tables.party.c.name == "deniz").values(country="DE"))
    new = NewTransfer("ankara", "deniz", TransferKind.STANDARD_CONTRACTUAL_CLAUSES, "SCC 7", "2026-01-01", "2099-01-31")
    record_id = transferring.add(core, new, actor="admin")
    with core.database.read() as connection:
        [authority] = authorities.of_consents(connection, [given.id])
        [instrument] = transfers.instruments(connection, clinic_id, clinic.stage.reviewer.id)
    end = datetime.fromisoformat("2099-02-01T00:00:00+03:00")
    assert (authority.basis, authority.recorded_by, authority.valid_until) == ("a court order", "officer", end)
    assert (instrument.id, instrument.valid_until) == (record_id, end)
    assert instrument.valid_from == datetime.fromisoformat("2026-01-01T00:00:00+03:00")


def _patient(clinic: Clinic) -> str:
    return clinic.case(clinic.order()).patient_id
