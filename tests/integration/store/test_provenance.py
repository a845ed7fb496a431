"""A Provenance of revision would leave the consent that it replaces in force: it is refused whole."""

import pytest

from gateway.demo import resources as demo
from gateway.domain.delivery import Flow
from gateway.domain.errors import Unprocessable
from gateway.store import resources
from tests.integration.store.stage import Json, Stage, full_url

PDF = b"%PDF-1.7 a pathology report"


def _provenance(target: str, replaced: str) -> Json:
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": "2026-03-02T10:00:00+03:00",
        "agent": [{"who": {"display": "registrar"}}],
        "entity": [{"role": "revision", "what": {"reference": replaced}}],
    }


def test_a_revision_of_a_consent_by_provenance_is_refused_with_all_that_came_with_it(stage: Stage) -> None:
    data = stage.case_data()
    stored = stage.post(demo.clinic_bundle(data, PDF))
    patient, order = (next(one for one in stored if one.type == kind) for kind in ("Patient", "ServiceRequest"))
    replaced = next(one for one in stored if one.type == "Consent")
    dissent = demo.consent(data, Flow.DISCLOSE_TO_REVIEWER, f"Patient/{patient.id}")
    revision = _provenance(full_url(0), f"Consent/{replaced.id}")
    with pytest.raises(Unprocessable, match="not evaluated for a Consent") as refused:
        stage.post(dissent, revision)
    assert refused.value.at == "Bundle.entry[1].resource.target[0]"
    with stage.core.database.read() as connection:
        consents = resources.referring(connection, stage.clinic.id, "Consent", patient.id)
    assert len(consents) == len([one for one in stored if one.type == "Consent"])
    [kept] = stage.post(_provenance(f"ServiceRequest/{order.id}", f"Patient/{patient.id}"))
    assert kept.type == "Provenance"
