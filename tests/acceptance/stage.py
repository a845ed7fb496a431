"""One running gateway between strict peers, shared by tests that each bring a patient and an order of their own."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread

from gateway.demo import resources
from gateway.domain.delivery import Flow
from gateway.domain.party import DicomAddress, Identifier
from gateway.domain.record import Delivery
from gateway.domain.study import StudyState
from gateway.store import deliveries, studies
from tests.acceptance.gateway import Gateway, wait_for
from tests.acceptance.scene import Json, Order, Scene, address
from tests.peers import dcmtk
from tests.peers.generated import AYSE, Person, ct_series
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_ehr import RecordedRequest, StrictEhr
from tests.peers.strict_pacs import StrictPacs

PATIENCE_S = 60
DISCLOSE, RETURN = Flow.DISCLOSE_TO_REVIEWER, Flow.RETURN_TO_CLINIC
DOCUMENT = b"%PDF-1.7\nit waits for a person, whom no test here sends\n%%EOF\n"
STUDY, EHR_REPORT, PACS_REPORT = "study-to-reviewer", "report-to-ehr", "report-to-pacs"


def somebody() -> Person:
    """A patient with the name of many and a record number of her own."""
    return replace(AYSE, patient_id=f"MRN-{uuid.uuid4().hex[:10].upper()}")


@dataclass(frozen=True)
class Case:
    """A patient and her order as it was posted."""

    person: Person
    order: Order

    @property
    def id(self) -> str:
        return self.order.case_id

    @property
    def data(self) -> resources.CaseData:
        return self.order.data


class Stage(Scene):
    """The scene with strict peers, and what each test asks of them about its own patient alone."""

    def __init__(self, gateway: Gateway, *, pacs: StrictPacs, ehr: StrictEhr, node: dcmtk.StoreScp) -> None:
        super().__init__(gateway, pacs=pacs.address, ehr_url=ehr.base_url, node=node.address)
        self.pacs, self.ehr, self.node = pacs, ehr, node

    def add_reviewer(self, name: str, node: DicomAddress | None = None, *, country: str = "TR") -> Identifier:
        """Register another reviewer with a client; gives what orders and consents call them."""
        identifier = Identifier("https://reviewer.example/id", name)
        who = ("--identifier", f"{identifier.system}|{identifier.value}", "--country", country)
        where = ("--time-zone", "Europe/Istanbul", *(("--node", address(node)) if node else ()))
        self.gateway.cli("reviewer", "add", name, *who, *where)
        self.add_client(name)
        return identifier

    def add_client(self, party: str) -> None:
        """An OAuth client of that party, for `post` and `request`."""
        self._clients[party] = self.gateway.shown("client", "add", party)

    def open_case(self, *consents: Flow, patient: Person | None = None, **changes: Any) -> Case:
        """An order whose patient and order the clinic's EHR knows, with these consents."""
        patient = patient or somebody()
        data = self.case_data(patient=patient, **changes)
        patient_id = self.ehr.add_patient(resources.patient_resource(data))
        self.ehr.add_order(resources.service_request(data, f"Patient/{patient_id}", "Organization/none"))
        return Case(patient, self.order(data, consents, DOCUMENT))

    def send_images(self, case: Case, folder: Path, *, slices: int = 2, person: Person | None = None) -> dcmtk.Outcome:
        """The study that the order names, known to the PACS and sent by it; of `person` where that is another one."""
        patient = person or case.person
        data = case.data
        series = ct_series(
            slices=1, patient=patient, study_instance_uid=data.study_instance_uid, accession=data.accession_number
        )
        self.pacs.register(RegisteredStudy.of(series[0]))
        return self.send_study(data, folder, patient=patient, slices=slices)

    def until_matched(self, case_id: str) -> None:
        """Until a study is the case's."""

        def is_matched() -> bool:
            with self.database.read() as connection:
                return bool(studies.listed(connection, case_id=case_id, state=StudyState.MATCHED))

        wait_for(is_matched, "the study to be matched", PATIENCE_S)

    def until_study(self, study_instance_uid: str, state: str) -> Json:
        """Until the study of that UID is in the state; gives what `study list` shows of it."""

        def is_so() -> bool:
            with self.database.read() as connection:
                found = studies.listed(connection, state=StudyState(state))
            return any(one.study_instance_uid == study_instance_uid for one in found)

        wait_for(is_so, f"the study {state}", PATIENCE_S)
        [line] = self.studies(study_instance_uid)
        return line

    def until_quarantined(self, case: Case) -> Json:
        """Until something of the case is in quarantine; gives the one entry of `quarantine list`."""

        def is_there() -> bool:
            with self.database.read() as connection:
                return bool(studies.quarantined(connection, case_id=case.id))

        wait_for(is_there, "an entry in quarantine", PATIENCE_S)
        [entry] = self.quarantined(case)
        return entry

    def consent(self, case: Case, flow: Flow) -> str:
        """The clinic's EHR posts one more consent of the patient; gives its id."""
        resource = resources.consent(case.data, flow, f"Patient/{case.order.ids['Patient'][0]}")
        return str(self.post("hospital", "Consent", resource)["id"])

    def revoke(self, case: Case, flow: Flow, consent_id: str) -> None:
        """The patient takes a consent back."""
        patient = f"Patient/{case.order.ids['Patient'][0]}"
        resource = resources.consent(case.data, flow, patient, status="inactive") | {"id": consent_id}
        answer = self.request("hospital", "PUT", f"Consent/{consent_id}", resource)
        assert answer.is_success, answer.text

    def read_by_clinic(self, case: Case, kind: str) -> list[Json]:
        """The resources of that type about the case's patient, as the clinic's EHR finds them."""
        answer = self.request("hospital", "GET", f"{kind}?patient=Patient/{case.order.ids['Patient'][0]}")
        assert answer.is_success, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", [])]

    def decided(self, case: Case, **named: Json) -> Json:
        """What POST /fhir/Consent/$decide answers the clinic, each parameter by its name, the last of each."""
        asked = [{"name": "case", "valueReference": {"reference": f"ServiceRequest/{case.id}"}}]
        asked += [{"name": name, **value} for name, value in named.items()]
        answer = self.post("hospital", "Consent/$decide", {"resourceType": "Parameters", "parameter": asked})
        return {one["name"]: one for one in answer["parameter"]}

    def until_delivery(self, case_id: str, kind: str, state: str) -> Json:
        """Until the case has one delivery of that kind in that state; gives what `delivery list` shows of it."""
        self.until(case_id, kind, lambda found: found.state == state, f"{kind} {state}")
        return self.delivery(case_id, kind)

    def until(self, case_id: str, kind: str, condition: Callable[[Delivery], bool], waiting_for: str) -> None:
        """Until the case's one delivery of that kind meets the condition."""

        def is_met() -> bool:
            with self.database.read() as connection:
                found = [one for one in deliveries.listed(connection, case_id=case_id) if one.kind == kind]
            return len(found) == 1 and condition(found[0])

        try:
            wait_for(is_met, waiting_for, PATIENCE_S)
        except Exception as failure:
            failure.add_note(f"--- the case has {self.deliveries(case_id)}\n--- and waits for {self.waits(case_id)}")
            raise

    def until_decided(self, case_id: str, kind: str, stage: str, outcome: str, count: int = 1) -> None:
        """Until consent was decided so, at that stage and so often, for that kind of delivery."""

        def is_decided() -> bool:
            with self.database.read() as connection:
                kinds = {one.id: one.kind for one in deliveries.listed(connection, case_id=case_id)}
                made = deliveries.decisions(connection, case_id)
            return (
                len([d for d in made if (kinds[d.delivery_id], d.stage, d.outcome) == (kind, stage, outcome)]) >= count
            )

        wait_for(is_decided, f"{outcome} at {stage} of {kind}", PATIENCE_S)

    def waits(self, case_id: str) -> list[Json]:
        """What `case show` says the case waits for."""
        return list(self.story(case_id)["waits"])

    def told(self, case_id: str) -> str:
        """The stations of `case show`, in one text."""
        return "\n".join(f"{one['what']} {one['outcome']} {one['detail']}" for one in self.story(case_id)["stations"])

    def granted(self, case: Case) -> list[Json]:
        """The disclosures of the case that `audit list` shows."""
        rows = self.gateway.shown("audit", "list", "--case", case.id)
        return [row for row in rows if row["action"] == "egress.granted"]

    def quarantined(self, case: Case) -> list[Json]:
        """What `quarantine list` shows of the case."""
        entries = self.gateway.shown("quarantine", "list", "--limit", "10000")
        return [one for one in entries if one["case_id"] == case.id]

    def studies(self, study_instance_uid: str) -> list[Json]:
        """What `study list` shows under that UID."""
        studies = self.gateway.shown("study", "list", "--limit", "10000")
        return [one for one in studies if one["study_instance_uid"] == study_instance_uid]

    def at_reviewer(self, case: Case) -> list[Dataset]:
        """What the reviewer's node received of the case, one entry a C-STORE."""
        pseudonym = self.story(case.id)["pseudonym"]
        return [ds for ds in received_by(self.node) if ds.PatientID == pseudonym]

    def asked_of_ehr(self, case: Case) -> list[RecordedRequest]:
        """The requests to the EHR that carry anything of the patient."""
        number = case.person.patient_id
        holders = [self.ehr.records.search("Patient", [("identifier", f"{resources.MRN_SYSTEM}|{number}")])]
        words = [number.encode(), *(f"Patient/{found['id']}".encode() for found in holders[0])]
        return [one for one in self.ehr.requests if any(word in one.query.encode() + one.body for word in words)]

    def written_to_ehr(self, case: Case) -> list[RecordedRequest]:
        """The creates and updates among them."""
        return [one for one in self.asked_of_ehr(case) if one.is_write]

    def in_ehr(self, case: Case) -> list[Json]:
        """The patient's reports there."""
        [patient] = self.ehr.records.search(
            "Patient", [("identifier", f"{resources.MRN_SYSTEM}|{case.person.patient_id}")]
        )
        return [one for one in self.ehr.reports() if one["subject"]["reference"] == f"Patient/{patient['id']}"]

    def offered_to_pacs(self, case: Case) -> list[Dataset]:
        """Every object of the study that came to the PACS by C-STORE, the refused ones too."""
        return [ds for ds in self.pacs.received if ds.get("StudyInstanceUID") == case.data.study_instance_uid]

    def in_pacs(self, case: Case) -> list[Dataset]:
        """What the PACS keeps of it."""
        return [ds for ds in self.pacs.stored if ds.StudyInstanceUID == case.data.study_instance_uid]


def received_by(node: dcmtk.StoreScp) -> list[Dataset]:
    """The headers of what a node has received; a file that is still being written is passed over."""
    found: list[Dataset] = []
    for path in node.files():
        try:
            found.append(dcmread(path, stop_before_pixels=True))
        except Exception:  # noqa: BLE001 - storescp writes in place
            continue
    return found
