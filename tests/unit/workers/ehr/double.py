"""An EHR in memory behind httpx.MockTransport; what it offers, and where it misbehaves, is set per test."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx

from gateway.domain.party import FhirAddress, Identifier
from workers.ehr.client import Wiring

BASE = "https://ehr.clinic.example/fhir"
ADDRESS = FhirAddress(BASE)
REPORT_IDENTIFIER = Identifier("https://consilium.example/fhir/report", "r-2026-1")
PATIENT_IDENTIFIER = Identifier("urn:oid:2.16.840.1", "MRN-4711")
PDF = b"%PDF-1.7 the report"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALL = ("create", "read", "update", "search-type")

Resource = dict[str, Any]
Answerer = Callable[[httpx.Request], httpx.Response]


def patient(patient_id: str, *identifiers: Identifier, **more: Any) -> Resource:
    held = [{"system": each.system, "value": each.value} for each in identifiers or (PATIENT_IDENTIFIER,)]
    return {"resourceType": "Patient", "id": patient_id, "identifier": held, **more}


def report(subject: Resource, *, status: str = "final", pdf: bytes = PDF) -> Resource:
    data = base64.b64encode(pdf).decode()
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": REPORT_IDENTIFIER.system, "value": REPORT_IDENTIFIER.value}],
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": subject,
        "presentedForm": [{"contentType": "application/pdf", "data": data}],
    }


def wired_to(answer: Answerer) -> Wiring:
    """A session of that wiring asks `answer` instead of the network; it is always the same moment."""
    return Wiring(lambda: NOW, transport=httpx.MockTransport(answer))


class EhrDouble:
    """Stores DiagnosticReports as its capability says. `before[n]` answers the n-th write instead of the EHR."""

    def __init__(
        self, *, interactions: tuple[str, ...] = ALL, conditional_create: bool = False, update_create: bool = False
    ) -> None:
        self.interactions = interactions
        self.conditional_create = conditional_create
        self.update_create = update_create
        self.patient_interactions: tuple[str, ...] = ("read", "search-type")
        self.patients = [patient("p1")]
        self.reports: dict[str, Resource] = {}
        self.requests: list[httpx.Request] = []
        self.instead_of_write: list[Answerer | None] = []
        self.after_write: list[Answerer | None] = []
        self.shape: Callable[[Resource], Resource] = lambda resource: resource
        self.is_parameter_ignored = False
        self.takes_post_search = True
        self.binaries: dict[str, bytes] = {}

    @property
    def wiring(self) -> Wiring:
        return wired_to(self.answer)

    def methods(self) -> list[str]:
        """What was asked, without the base URL."""
        return [f"{each.method} {each.url.path.removeprefix('/fhir/')}" for each in self.requests]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix("/fhir/")
        kind, _, rest = path.partition("/")
        if path == "metadata":
            return _json(200, self.statement())
        if kind == "Binary":
            return httpx.Response(200, content=self.binaries[rest], headers={"Content-Type": "application/pdf"})
        if rest == "_search" and not self.takes_post_search:
            return httpx.Response(405)
        if rest == "_search" or (request.method == "GET" and not rest):
            return self.search(kind, request)
        if request.method == "GET":
            found = self.reports.get(rest)
            return _json(200, found) if found else httpx.Response(404)
        return self.write(request, rest)

    def statement(self) -> Resource:
        report_type = {
            "type": "DiagnosticReport",
            "interaction": [{"code": code} for code in self.interactions],
            "conditionalCreate": self.conditional_create,
            "updateCreate": self.update_create,
            "searchParam": [{"name": "identifier", "type": "token"}],
        }
        patient_type = {
            "type": "Patient",
            "interaction": [{"code": code} for code in self.patient_interactions],
            "searchParam": [{"name": "identifier", "type": "token"}],
        }
        return {
            "resourceType": "CapabilityStatement",
            "fhirVersion": "4.0.1",
            "software": {"name": "Double", "version": "1"},
            "rest": [{"mode": "server", "resource": [report_type, patient_type]}],
        }

    def search(self, kind: str, request: httpx.Request) -> httpx.Response:
        query = parse_qs(request.content.decode() if request.method == "POST" else request.url.query.decode())
        wanted = set(query["identifier"][0].split(","))
        pool = self.patients if kind == "Patient" else list(self.reports.values())
        hits = [each for each in pool if self.is_parameter_ignored or wanted & _tokens(each)]
        entries = [{"resource": each, "search": {"mode": "match"}} for each in hits]
        return _json(200, {"resourceType": "Bundle", "type": "searchset", "total": len(hits), "entry": entries})

    def write(self, request: httpx.Request, report_id: str) -> httpx.Response:
        instead = self.instead_of_write.pop(0) if self.instead_of_write else None
        if instead:
            return instead(request)
        answer = self._store(request, report_id)
        after = self.after_write.pop(0) if self.after_write else None
        return after(request) if after else answer

    def _store(self, request: httpx.Request, report_id: str) -> httpx.Response:
        condition = request.headers.get("if-none-exist")
        if condition:
            wanted = set(parse_qs(condition)["identifier"])
            hits = [each for each in self.reports.values() if wanted & _tokens(each)]
            if len(hits) > 1:
                return httpx.Response(412)
            if hits:
                return _json(200, hits[0])
        held = self.reports.get(report_id)
        match = request.headers.get("if-match")
        if match and held and match != f'W/"{held["meta"]["versionId"]}"':
            return httpx.Response(412)
        report_id = report_id or f"s{len(self.reports) + 1}"
        version = str(int(held["meta"]["versionId"]) + 1) if held else "1"
        content = {**json.loads(request.content), "id": report_id, "meta": {"versionId": version}}
        self.reports[report_id] = self.shape(content)
        location = f"{BASE}/DiagnosticReport/{report_id}/_history/{version}"
        return httpx.Response(200 if held else 201, headers={"Location": location})


def fails_with(error: type[httpx.TransportError]) -> Answerer:
    """An answerer that loses the connection."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise error("lost", request=request)

    return answer


def answers(status: int, **headers: str) -> Answerer:
    """An answerer that gives this status and no body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx.Response(status, headers=named)


def _tokens(resource: Resource) -> set[str]:
    return {f"{each['system']}|{each['value']}" for each in resource.get("identifier", [])}


def _json(status: int, resource: Resource) -> httpx.Response:
    return httpx.Response(status, json=resource, headers={"Content-Type": "application/fhir+json"})
