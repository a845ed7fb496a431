"""One case on its way, among clients that insist on an answer and remember what they were told."""

import uuid
from pathlib import Path

import httpx

from gateway.demo import resources
from gateway.domain.delivery import Flow
from gateway.domain.errors import Conflict
from gateway.services import documents
from gateway.store import cases, reports
from tests.acceptance.faults.town import Town, Unanswered, insist
from tests.acceptance.scene import Json, Order
from tests.acceptance.stage import Case, somebody
from tests.peers import dcmtk
from tests.peers.generated import ct_series, part10, pathology_pdf
from tests.peers.registered_study import RegisteredStudy

_SLICES = 2
_PATIENT_LISTS = ("Consent", "DocumentReference")
_TIMES = ("-to", "2", "-ta", "4", "-td", "4")


class Journey:
    """A patient, an order and a study of their own; `acknowledged` is UID -> file of what was answered 0x0000."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        self.acknowledged: dict[str, Path] = {}
        self.revoked: set[Flow] = set()
        self.is_reported = False
        self._folder = folder
        patient = somebody()
        data = town.case_data(patient=patient)
        patient_id = town.ehr.add_patient(resources.patient_resource(data))
        town.ehr.add_order(resources.service_request(data, f"Patient/{patient_id}", "Organization/none"))
        self._patient, self._data = patient, data
        self._order: Order | None = None
        self._report_number = uuid.uuid4().hex

    @property
    def case(self) -> Case:
        """As it was acknowledged."""
        assert self._order is not None
        return Case(self._patient, self._order)

    def take(self, step: str) -> None:
        """One step, until it is acknowledged."""
        {
            "order": self._post_order,
            "study": self._send_study,
            "document": self._approve_document,
            "disclosure": self.town.rest,
            "report": self._report,
            "return": self.town.rest,
        }[step]()

    def revoke(self, flow: Flow) -> None:
        """The patient takes that consent back, which is on file; until it is acknowledged."""
        index = tuple(Flow).index(flow)
        patient, consent_id = f"Patient/{self.case.order.ids['Patient'][0]}", self.case.order.ids["Consent"][index]
        revoked = resources.consent(self._data, flow, patient, status="inactive") | {"id": consent_id}

        def put() -> None:
            answer = self.town.ask("hospital", "PUT", f"Consent/{consent_id}", revoked)
            assert answer.is_success, answer.text

        insist(put, "the revocation to be acknowledged")
        self.revoked.add(flow)

    def _post_order(self) -> None:
        """Posted once, and looked for before it is posted again: its resources have no condition of their own."""
        bundle = resources.clinic_bundle(self._data, pathology_pdf())

        def post() -> None:
            if self._look_for_order():
                return
            self._post("hospital", bundle)
            assert self._look_for_order()

        insist(post, "the order to be acknowledged")

    def _post(self, client: str, bundle: Json) -> None:
        """Who is told that it is there already looks again: an earlier try was cut off, and had arrived."""
        answer = self.town.ask(client, "POST", "", bundle)
        if answer.status_code == httpx.codes.CONFLICT:
            raise Unanswered(answer.text)
        assert answer.is_success, answer.text

    def _look_for_order(self) -> bool:
        number = f"{resources.ORDER_SYSTEM}|{self._data.order_number}"
        found = self._found(f"ServiceRequest?identifier={number}")
        if not found:
            return False
        patient = found[0]["subject"]["reference"].rpartition("/")[2]
        ids = {"ServiceRequest": [found[0]["id"]], "Patient": [patient]}
        for kind in _PATIENT_LISTS:
            of_patient = self._found(
                f"{kind}?{'subject' if kind == 'DocumentReference' else 'patient'}=Patient/{patient}"
            )
            ids[kind] = [one["id"] for one in sorted(of_patient, key=_flow_rank)]
        self._order = Order(self._data, ids)
        return True

    def _found(self, query: str) -> list[Json]:
        answer = self.town.ask("hospital", "GET", query)
        assert answer.is_success, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", [])]

    def _send_study(self) -> None:
        data = self._data
        series = ct_series(
            slices=_SLICES,
            patient=self._patient,
            study_instance_uid=data.study_instance_uid,
            accession=data.accession_number,
        )
        self.town.pacs.register(RegisteredStudy.of(series[0]))
        self._folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for ds in series:
            files[str(ds.SOPInstanceUID)] = self._folder / f"{uuid.uuid4().hex}.dcm"
            files[str(ds.SOPInstanceUID)].write_bytes(part10(ds))

        def send() -> None:
            told = dcmtk.storescu(
                self.town.dicom_address, files.values(), calling=self.town.pacs_ae_title, options=_TIMES
            )
            self.acknowledged |= list(files.items())[: told.stored]
            if len(self.acknowledged) < len(files):
                raise Unanswered(told.output)

        insist(send, "the study to be acknowledged")

    def _approve_document(self) -> None:
        """The coordinator clears it; who is told that it is cleared already has nothing left to do."""
        [document_id] = self.case.order.ids["DocumentReference"]

        def approve() -> None:
            try:
                documents.approve(self.town.core, document_id, actor="coordinator")
            except Conflict:
                with self.town.core.database.read() as connection:
                    assert cases.document_by_id(connection, document_id).state == "cleared"

        insist(approve, "the document to be cleared")

    def _report(self) -> None:
        """The reviewer reports on what there is; looked for before it is posted again."""

        def post() -> None:
            with self.town.core.database.read() as connection:
                pseudonym = cases.by_id(connection, self.case.id).pseudonym
                if reports.listed(connection, self.case.id):
                    return
            signed_at = self.town.clock.now()
            self._post("reviewer", resources.report_bundle(pseudonym, number=self._report_number, signed_at=signed_at))

        insist(post, "the report to be acknowledged")
        self.is_reported = True


def _flow_rank(resource: Json) -> int:
    """Consents in the order of the flows, by their policy."""
    uris = [one["uri"] for one in resource.get("policy", [])]
    return [resources.POLICY[flow] for flow in Flow].index(uris[0]) if uris else 0
