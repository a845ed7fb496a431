"""Calls of the strict EHR as a client makes them, and a report it accepts."""

import base64
import functools
import hashlib
from typing import Any

import httpx

from tests.peers.generated import pathology_pdf
from tests.peers.strict_ehr import StrictEhr

PATIENT_IDENTIFIER = {"system": "urn:oid:1.2.3", "value": "48151"}
ORDER_IDENTIFIER = {"system": "urn:oid:1.2.5", "value": "PLACER-1"}
REPORT_TOKEN = "urn:oid:1.2.4|R1"


def report_of_p1() -> dict[str, Any]:
    """A report that the EHR filled by `fill` accepts."""
    pdf = pathology_pdf()
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:oid:1.2.4", "value": "R1"}],
        "basedOn": [{"identifier": ORDER_IDENTIFIER}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": {"reference": "Patient/p1"},
        "issued": "2025-11-04T10:00:00+03:00",
        "performer": [{"display": "The centre"}],
        "presentedForm": [
            {
                "contentType": "application/pdf",
                "data": base64.b64encode(pdf).decode(),
                "size": len(pdf),
                "hash": base64.b64encode(hashlib.sha1(pdf).digest()).decode(),
            }
        ],
    }


def fill(ehr: StrictEhr) -> None:
    ehr.add_patient({"id": "p1", "identifier": [PATIENT_IDENTIFIER]})
    ehr.add_order({"id": "o1", "identifier": [ORDER_IDENTIFIER], "subject": {"reference": "Patient/p1"}})


@functools.cache
def client() -> httpx.Client:
    return httpx.Client(timeout=10, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def post(
    ehr: StrictEhr, resource: dict[str, Any], *, condition: bool = False, token: str = "", timeout_s: float = 10
) -> httpx.Response:
    headers = {"Content-Type": "application/fhir+json"}
    if condition:
        headers["If-None-Exist"] = f"identifier={REPORT_TOKEN}"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = f"{ehr.base_url}/{resource['resourceType']}"
    return client().post(url, json=resource, headers=headers, timeout=timeout_s)


def put(ehr: StrictEhr, resource: dict[str, Any], *, match: str = "") -> httpx.Response:
    headers = {"Content-Type": "application/fhir+json", **({"If-Match": match} if match else {})}
    return client().put(f"{ehr.base_url}/DiagnosticReport/{resource['id']}", json=resource, headers=headers)


def get(ehr: StrictEhr, path: str, query: dict[str, str] | None = None) -> httpx.Response:
    return client().get(f"{ehr.base_url}/{path}", params=query)


def refusal(answer: httpx.Response, status: int) -> list[str]:
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    return [issue["diagnostics"] for issue in answer.json()["issue"]]


def capabilities(ehr: StrictEhr) -> dict[str, Any]:
    resources = get(ehr, "metadata").json()["rest"][0]["resource"]
    return next(each for each in resources if each["type"] == "DiagnosticReport")
