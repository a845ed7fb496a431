"""SEKMET as the clinic's EHR."""

from pathlib import Path

import httpx
import pytest

from tests.peers.processes import PeerFailure, is_group_alive, is_listening
from tests.peers.sekmet import FHIR_JSON, Sekmet

_PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:oid:1.2.3", "value": "48151"}],
    "name": [{"family": "Öztürk", "given": ["Ayşe", "Işıl"]}],
}


def test_it_stores_finds_refuses_and_leaves_nobody_behind(tmp_path: Path) -> None:
    with Sekmet(folder=tmp_path) as ehr:
        patient = ehr.create(_PATIENT)
        assert ehr.read("Patient", patient["id"])["name"] == _PATIENT["name"]
        assert [each["id"] for each in ehr.search("Patient", identifier="urn:oid:1.2.3|48151")] == [patient["id"]]
        assert ehr.search("Patient", identifier="urn:oid:1.2.3|1") == []
        report = {
            "resourceType": "DiagnosticReport",
            "identifier": [{"system": "urn:oid:1.2.4", "value": "R1"}],
            "status": "final",
            "code": {"text": "Second opinion"},
            "subject": {"reference": f"Patient/{patient['id']}"},
        }
        condition = {**FHIR_JSON, "If-None-Exist": "identifier=urn:oid:1.2.4|R1"}
        url = f"{ehr.base_url}/DiagnosticReport"
        answers = [httpx.post(url, json=report, headers=condition, trust_env=False).status_code for _ in range(2)]
        assert answers == [201, 200]
        assert len(ehr.search("DiagnosticReport", patient=patient["id"])) == 1
        with pytest.raises(PeerFailure, match=r"SEKMET answered 4\d\d"):
            ehr.create({"resourceType": "DiagnosticReport", "nonsense": True})
        for number in range(4):
            ehr.create({**_PATIENT, "identifier": [{"system": "urn:oid:1.2.3", "value": str(number)}]})
        assert len(ehr.search("Patient", _count="2")) == 5  # every page of it
        ehr.stop()
        ehr.start()
        assert len(ehr.search("DiagnosticReport", based_on="nothing")) == 0
        assert len(ehr.search("DiagnosticReport")) == 1
        group = ehr.process.pid
    assert not is_group_alive(group)
    assert not is_listening(ehr.port)
