"""Cases of a clinic that are with a reviewer: ordered, consented to, and partly at the reviewer's node."""

from dataclasses import dataclass, replace
from datetime import date
from itertools import count
from typing import Any

from sqlalchemy import insert

from gateway.demo import resources as demo
from gateway.domain.case import CaseState, DocumentState
from gateway.domain.delivery import DeliveryKind, DeliveryState, Flow
from gateway.domain.ids import new_id
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, Identifier
from gateway.domain.pseudonym import pseudonymous_uid
from gateway.domain.record import Case, CaseDocument, DeliveryItem
from gateway.services import egress
from gateway.services.resources import store_internal
from gateway.store import cases, deliveries, parties, resources, tables
from tests.core import PSEUDONYM_KEY
from tests.unit.gateway.web.support import World

DATA = demo.CaseData(
    family="Öztürk",
    given="Ayşe",
    birth_date=date(1967, 4, 21),
    gender="female",
    record_number="4711",
    order_number="ORD-1",
    study_instance_uid="1.2.3.4",
    accession_number="A1",
    clinic=Identifier("https://parties.example", "clinic"),
    reviewer=Identifier("https://parties.example", "reviewer"),
)
TELLING = ("Öztürk", "Ayşe", "1967", "4711", "ORD-1", "1.2.3.4", "A1", "clinic", "2026", "Neck lump", "L-77")
"""What no answer to a reviewer may hold: who it is, where, when, and what somebody wrote."""


@dataclass(frozen=True)
class Reviewed:
    """A case with its reviewer, and the ids under which the clinic knows what belongs to it."""

    case: Case
    consent_id: str
    study_id: str = ""
    document_id: str = ""


class Review:
    """The clinic's cases; `assigned` makes one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = count(1)
        with world.database.write("test") as connection:
            for name in ("reviewer", "other-reviewer"):
                address, owner = DicomAddress(name[:16], "::1", 104), world.party_ids[name]
                node = Endpoint(f"node-{name}", f"node-{name}", owner, EndpointRole.REVIEWER_NODE, dicom=address)
                parties.add_endpoint(connection, node, now=world.clock())
            address, owner = DicomAddress("PACS", "::1", 104), world.party_ids["clinic"]
            pacs = Endpoint("pacs", "pacs", owner, EndpointRole.PACS, dicom=address)
            parties.add_endpoint(connection, pacs, now=world.clock())

    def assigned(self, pseudonym: str, *, to: str = "reviewer", has_consent: bool = True) -> Reviewed:
        """An open case that the reviewer is to give an opinion on; nothing of it has been sent."""
        clinic_id, now = self.world.party_ids["clinic"], self.world.clock()
        with self.world.database.write("test") as connection:
            patient = demo.patient_resource(replace(DATA, record_number=f"4711-{pseudonym}"))
            patient_id = store_internal(connection, clinic_id, patient, now).id
            data = replace(DATA, order_number=f"ORD-1-{pseudonym}")
            order = demo.service_request(data, f"Patient/{patient_id}", "Organization/o1") | _SAID
            ordered = store_internal(connection, clinic_id, order, now)
            case = Case(ordered.id, clinic_id, self.world.party_ids[to], patient_id, pseudonym, CaseState.OPEN, now)
            cases.add(connection, case)
        consent_id = self.consent(case, to=to) if has_consent else ""
        return Reviewed(case, consent_id)

    def consent(self, case: Case, *, to: str = "reviewer", of: str = "", **changes: Any) -> str:
        """The patient permits that it is disclosed, or a new version of the consent named by `of`; gives its id."""
        data = replace(DATA, reviewer=Identifier("https://parties.example", to))
        content = demo.consent(data, Flow.DISCLOSE_TO_REVIEWER, f"Patient/{case.patient_id}") | changes
        with self.world.database.write("test") as connection:
            return store_internal(
                connection, case.clinic_id, content | ({"id": of} if of else {}), self.world.clock()
            ).id

    def order(self, case: Case, **changes: Any) -> None:
        """The clinic stores a new version of the case's order."""
        with self.world.database.write("test") as connection:
            content = resources.current(connection, case.clinic_id, "ServiceRequest", case.id).content | changes
            store_internal(connection, case.clinic_id, content, self.world.clock())

    def sent(self, reviewed: Reviewed, *, to: str = "reviewer", state: str = DeliveryState.DELIVERED) -> Reviewed:
        """Two objects of a study, and a document beside them."""
        case, scope = reviewed.case, self.world.party_ids[to]
        uid = f"1.2.3.4.{next(self._numbers)}"
        study_id, document_id = self._study(case, uid), self._document(case)
        images = [pseudonymous_uid(PSEUDONYM_KEY, scope, f"{uid}.1.{number}") for number in (1, 2)]
        beside = [pseudonymous_uid(PSEUDONYM_KEY, scope, f"document {document_id}")]
        self._delivered(case, DeliveryKind.STUDY_TO_REVIEWER, study_id, images, to, state)
        self._delivered(case, DeliveryKind.DOCUMENT_TO_REVIEWER, document_id, beside, to, state)
        return replace(reviewed, study_id=study_id, document_id=document_id)

    def _study(self, case: Case, uid: str) -> str:
        """As it came, of two objects; gives its id."""
        study_id, now = new_id(), self.world.clock()
        study: dict[str, object] = {"id": study_id, "clinic_id": case.clinic_id, "endpoint_id": "pacs"}
        study |= {"case_id": case.id, "study_instance_uid": uid, "state": "matched", "patient_id": "4711"}
        study |= {"issuer_of_patient_id": "", "patient_names": ["Öztürk^Ayşe"], "sex": "female"}
        study |= {"accession_number": "A1", "study_description": "Neck lump", "study_date": date(2026, 1, 4)}
        study |= {"accession_pseudonym": f"ACC{case.pseudonym}", "first_received_at": now, "last_received_at": now}
        instance: dict[str, object] = {"study_id": study_id, "clinic_id": case.clinic_id}
        instance |= {"series_instance_uid": f"{uid}.1", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}
        instance |= {"transfer_syntax_uid": "1.2.840.10008.1.2.1", "modality": "CT", "state": "stored"}
        instance |= {"blob_sha256": "0" * 64, "size_bytes": 1, "received_at": now}
        with self.world.database.write("test") as connection:
            connection.execute(insert(tables.study).values(study))
            for one in (f"{uid}.1.1", f"{uid}.1.2"):
                connection.execute(insert(tables.instance).values(instance | {"sop_instance_uid": one}))
        return study_id

    def _document(self, case: Case) -> str:
        """A person has cleared it; gives its id."""
        now, none = self.world.clock(), "0" * 64
        state, title, day = DocumentState.CLEARED, "Neck lump of Ayşe", date(2026, 1, 4)
        document = CaseDocument(new_id(), case.id, state, title, "11526-1", day, none, none, "coordinator", now, now)
        with self.world.database.write("test") as connection:
            cases.add_document(connection, document)
        return document.id

    def _delivered(self, case: Case, kind: DeliveryKind, subject_id: str, uids: list[str], to: str, state: str) -> None:
        now = self.world.clock()
        with self.world.database.write("test") as connection:
            opened = egress.open_delivery(
                connection,
                case,
                kind=kind,
                endpoint_id=f"node-{to}",
                subject_id=subject_id,
                business_key=egress.business_key("test", subject_id, to, 0),
                now=now,
            )
            items = [
                DeliveryItem(opened.id, n, uid, "1.2", "1.2.1", "0" * 64, "0x0000", now) for n, uid in enumerate(uids)
            ]
            deliveries.add_items(connection, items)
            deliveries.change(connection, opened.id, now=now, state=state)


_SAID = {
    "authoredOn": "2026-01-05T09:00:00+03:00",
    "code": {
        "coding": [{"system": "http://snomed.info/sct", "code": "103696004", "display": "Ayşe"}],
        "text": "for Ayşe Öztürk",
    },
    "reasonCode": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0336", "code": "S"}], "text": "Neck lump"},
        {"coding": [{"system": "https://clinic.example/codes", "code": "L-77"}]},
        {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "Öztürk"}]},
    ],
    "note": [{"text": "Neck lump of Ayşe"}],
    "patientInstruction": "Ayşe",
}
