"""The FHIR steps of the connection test; the network steps are tried on real sockets."""

import httpx
import pytest

from gateway.domain.diagnosis import Step
from gateway.domain.party import FhirAddress
from tests.unit.workers.ehr.double import ADDRESS, BASE, EhrDouble, wired_to
from workers.ehr.diagnose import diagnose, diagnose_fhir


def by_name(steps: list[Step]) -> dict[str, Step]:
    return {step.name: step for step in steps}


def test_a_sound_ehr_passes_every_step() -> None:
    steps = diagnose_fhir(ADDRESS, wiring=EhrDouble(conditional_create=True).wiring)

    assert [step.name for step in steps] == ["token", "metadata", "DiagnosticReport", "Patient", "access"]
    assert all(step.is_ok for step in steps)
    found = by_name(steps)
    assert found["metadata"].detail == "FHIR 4.0.1, Double 1."
    assert "conditional create" in found["DiagnosticReport"].detail


def test_an_ehr_that_cannot_be_asked_afterwards_is_pointed_out() -> None:
    step = by_name(diagnose_fhir(ADDRESS, wiring=EhrDouble(interactions=("create",)).wiring))["DiagnosticReport"]

    assert step.is_ok
    assert "Ask for read or search" in step.remedy


def test_an_ehr_that_takes_no_report_fails_with_a_remedy() -> None:
    step = by_name(diagnose_fhir(ADDRESS, wiring=EhrDouble(interactions=("read",)).wiring))["DiagnosticReport"]

    assert not step.is_ok
    assert "administrator" in step.remedy


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Welcome</html>"),
        httpx.Response(404, html="<html>no</html>"),
        httpx.Response(302, headers={"Location": "https://elsewhere.example"}),
        httpx.Response(503),
        httpx.Response(200, json={"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}),
    ],
)
def test_what_is_not_r4_fails_at_metadata_with_a_remedy(answer: httpx.Response) -> None:
    wiring = wired_to(lambda request: answer)

    last = diagnose_fhir(ADDRESS, wiring=wiring)[-1]

    assert (last.name, last.is_ok) == ("metadata", False)
    assert last.detail
    assert last.remedy


def test_a_token_that_cannot_be_had_ends_the_test() -> None:
    address = FhirAddress(BASE, token_file="/nowhere/token")

    (step,) = diagnose_fhir(address, wiring=EhrDouble().wiring)

    assert (step.name, step.is_ok) == ("token", False)
    assert "token_file" in step.remedy


def test_refused_credentials_show_at_access() -> None:
    ehr = EhrDouble()

    def answer(request: httpx.Request) -> httpx.Response:
        return ehr.answer(request) if request.url.path.endswith("/metadata") else httpx.Response(403)

    last = diagnose_fhir(ADDRESS, wiring=wired_to(answer))[-1]

    assert (last.name, last.is_ok) == ("access", False)
    assert "administrator" in last.remedy


def test_a_base_url_that_is_none_is_the_only_step() -> None:
    (step,) = diagnose(FhirAddress("ehr.clinic.example"), wiring=EhrDouble().wiring)

    assert (step.name, step.is_ok) == ("base URL", False)
