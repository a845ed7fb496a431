"""The cast of the journey: a registered hospital with PACS and EHR, a reviewer with a node, and their clients."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydicom.uid import generate_uid

from gateway.demo import resources
from gateway.domain.delivery import Flow
from gateway.domain.party import DicomAddress, Identifier
from gateway.store import deliveries
from tests.acceptance.gateway import Gateway, wait_for
from tests.peers import dcmtk
from tests.peers.generated import AYSE, Person, ct_series, part10, pathology_pdf

CLINIC = Identifier("urn:oid:2.16.792.1.2.3", "ankara-general")
REVIEWER = Identifier("https://reviewer.example/id", "prof-yildirim")
PACS_AE_TITLE = "HOSPITAL"
Json = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """One posted case: its data, and the logical id of each resource type in the order they were posted."""

    data: resources.CaseData
    ids: dict[str, list[str]]

    @property
    def case_id(self) -> str:
        """The gateway's case is named by its ServiceRequest."""
        return self.ids["ServiceRequest"][0]


class Scene:
    """Talks to one running gateway as the administrator, the hospital, the clinic's EHR and the reviewer."""

    def __init__(self, gateway: Gateway, *, pacs: DicomAddress, ehr_url: str, node: DicomAddress) -> None:
        self.gateway = gateway
        self.database = gateway.database
        common = ("--country", "TR", "--time-zone", "Europe/Istanbul")
        clinic = ("--identifier", f"{CLINIC.system}|{CLINIC.value}", "--pacs", address(pacs), "--ehr", ehr_url)
        gateway.cli("clinic", "add", "hospital", *clinic, *common)
        reviewer = ("--identifier", f"{REVIEWER.system}|{REVIEWER.value}", "--node", address(node))
        gateway.cli("reviewer", "add", "reviewer", *reviewer, *common)
        self._clients = {name: gateway.shown("client", "add", name) for name in ("hospital", "reviewer")}
        self.pacs_ae_title = pacs.ae_title

    @property
    def url(self) -> str:
        """Where the clients reach the gateway's HTTP side."""
        return self.gateway.url

    def case_data(self, *, patient: Person = AYSE, **changes: Any) -> resources.CaseData:
        """A new case of the patient; the order names a study of its own unless told otherwise."""
        number = uuid.uuid4().hex[:10].upper()
        values: Json = {
            "family": patient.family,
            "given": patient.given,
            "birth_date": patient.birth_date,
            "gender": {"F": "female", "M": "male", "O": "other"}[patient.sex],
            "record_number": patient.patient_id,
            "order_number": f"ORD-{number}",
            "study_instance_uid": generate_uid(),
            "accession_number": f"A{number}",
            "clinic": CLINIC,
            "reviewer": REVIEWER,
        }
        return resources.CaseData(**values | changes)

    def order(
        self,
        data: resources.CaseData,
        consents: tuple[Flow, ...] = tuple(Flow),
        pdf: bytes = b"",
        client: str = "hospital",
    ) -> Order:
        """The clinic's EHR posts the case as one transaction."""
        bundle = resources.clinic_bundle(data, pdf or pathology_pdf(), consents)
        entries = self.post(client, "", bundle)["entry"]
        ids: dict[str, list[str]] = {}
        for entry in entries:
            location = entry["response"]["location"].split("/_history")[0].split("/")
            ids.setdefault(location[-2], []).append(location[-1])
        return Order(data, ids)

    def post(self, client: str, path: str, resource: Json, **headers: str) -> Json:
        """POST to /fhir as that client; fails loudly with the outcome."""
        answer = self.request(client, "POST", path, resource, **headers)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return dict(answer.json())

    def request(
        self, client: str, method: str, path: str, resource: Json | None = None, **headers: str
    ) -> httpx.Response:
        """Any request to /fhir as that client."""
        known = self._clients[client]
        token = self.gateway.token(known["client_id"], known["client_secret"], self.url)
        every = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json", **headers}
        url = f"{self.url}/fhir{'/' if path else ''}{path}"
        return httpx.request(method, url, json=resource, headers=every, timeout=30, verify=False, trust_env=False)

    def send_study(
        self, data: resources.CaseData, folder: Path, *, patient: Person = AYSE, slices: int = 3, **changes: Any
    ) -> dcmtk.Outcome:
        """The hospital's PACS sends a generated CT by dcmtk's storescu; gives what storescu said."""
        series = ct_series(
            slices=slices,
            patient=patient,
            study_instance_uid=changes.pop("study_instance_uid", data.study_instance_uid),
            accession=changes.pop("accession", data.accession_number),
            **changes,
        )
        return self.send([part10(ds) for ds in series], folder)

    def send(self, objects: list[bytes], folder: Path, *options: str) -> dcmtk.Outcome:
        """Send these files in one association."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for content in objects:
            paths.append(folder / f"{uuid.uuid4().hex}.dcm")
            paths[-1].write_bytes(content)
        return dcmtk.storescu(self.gateway.address, paths, calling=self.pacs_ae_title, options=options)

    def story(self, case_id: str) -> Json:
        """`consilium case show`."""
        return dict(self.gateway.shown("case", "show", case_id))

    def deliveries(self, case_id: str) -> list[Json]:
        """`consilium delivery list` of the case."""
        return list(self.gateway.shown("delivery", "list", "--case", case_id))

    def delivery(self, case_id: str, kind: str) -> Json:
        """The one delivery of that kind; fails while there is none or several."""
        found = [one for one in self.deliveries(case_id) if one["kind"] == kind]
        assert len(found) == 1, found
        return found[0]

    def wait_for_delivery(self, case_id: str, kind: str, state: str, timeout_s: float = 30) -> None:
        """Until the case has one delivery of that kind in that state; looks into the database, which is cheap."""

        def is_there() -> bool:
            with self.database.read() as connection:
                found = [one for one in deliveries.listed(connection, case_id=case_id) if one.kind == kind]
            return [one.state for one in found] == [state]

        wait_for(is_there, f"{kind} {state}", timeout_s)

    def report(self, case_id: str, number: str = "") -> Json:
        """The reviewer posts the report about the pseudonym; gives the transaction's answer."""
        pseudonym = self.story(case_id)["pseudonym"]
        number = number or uuid.uuid4().hex
        return self.post("reviewer", "", resources.report_bundle(pseudonym, number=number, signed_at=datetime.now(UTC)))


def address(dicom: DicomAddress) -> str:
    """As the command line takes it."""
    return f"{dicom.ae_title}@{dicom.host}:{dicom.port}"
