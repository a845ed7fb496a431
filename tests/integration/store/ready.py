"""Cases of which something is ready to be sent, made as fast as may be: each of a patient of its own."""

from dataclasses import replace

from sqlalchemy import insert

from gateway.demo import resources as demo
from gateway.domain.case import CaseState
from gateway.domain.delivery import DeliveryKind
from gateway.domain.ids import new_id
from gateway.domain.payload import payload_sha256
from gateway.domain.record import Case, Delivery, DeliveryItem, ReportVersion
from gateway.services.egress import business_key, enqueue_next, open_delivery
from gateway.services.resources import store_internal
from gateway.store import cases, deliveries, reports, tables
from tests.peers.generated import ct_series, part10
from tests.unit.gateway.services.scenery import DATA, Scenery

OBJECTS = 3


class Ready:
    """Makes them for the clinic and the reviewer of a scenery."""

    def __init__(self, scenery: Scenery) -> None:
        self._database, self._clock = scenery.core.database, scenery.clock
        self._blob = scenery.core.blobs.put(part10(ct_series(slices=1, study_instance_uid="1.2.3.9")[0]))

    def case(self, number: int) -> Case:
        """A new patient's, ordered."""
        data, now = replace(DATA, record_number=f"{number}", order_number=f"{number}"), self._clock()
        with self._database.write("test") as connection:
            patient = store_internal(connection, "ankara", demo.patient_resource(data), now=now)
            order = demo.service_request(data, f"Patient/{patient.id}", "Organization/1")
            ordered = store_internal(connection, "ankara", order, now=now)
            case = Case(ordered.id, "ankara", "board", patient.id, f"CS-R{number}", CaseState.OPEN, now)
            cases.add(connection, case)
        return case

    def delivery(self, number: int, case: Case, kind: DeliveryKind) -> Delivery:
        """Ready to be sent, its job due: a report, or a study of OBJECTS objects."""
        is_report = kind is DeliveryKind.REPORT_TO_EHR
        subject = self._report(number, case) if is_report else self._study(number, case)
        now, to = self._clock(), "ankara-ehr" if is_report else "board-node"
        with self._database.write("test") as connection:
            opened = open_delivery(
                connection,
                case,
                kind=kind,
                endpoint_id=to,
                subject_id=subject,
                business_key=business_key("test", subject, to, 0),
                payload_sha256=self._blob,
                now=now,
            )
            if not is_report:
                uids = [f"1.{number}.{one}" for one in range(OBJECTS)]
                items = [
                    DeliveryItem(opened.id, n, uid, "1.2", "1.2.1", self._blob, None, None)
                    for n, uid in enumerate(uids)
                ]
                deliveries.add_items(connection, items)
                deliveries.change(connection, opened.id, now=now, payload_sha256=payload_sha256(items))
            enqueue_next(connection, deliveries.by_id(connection, opened.id), now=now)
        return opened

    def _study(self, number: int, case: Case) -> str:
        study: dict[str, object] = {"id": new_id(), "clinic_id": "ankara", "endpoint_id": "ankara-pacs"}
        study |= {"study_instance_uid": f"1.2.{number}", "state": "matched", "patient_id": f"{number}"}
        study |= {"issuer_of_patient_id": "", "patient_names": [], "sex": "", "accession_number": ""}
        study |= {"case_id": case.id, "study_description": "", "accession_pseudonym": f"A{number}"}
        study |= {"first_received_at": self._clock(), "last_received_at": self._clock()}
        with self._database.write("test") as connection:
            connection.execute(insert(tables.study).values(study))
        return str(study["id"])

    def _report(self, number: int, case: Case) -> str:
        now = self._clock()
        with self._database.write("test") as connection:
            kinds = ("DiagnosticReport", "Composition")
            ids = [store_internal(connection, "board", {"resourceType": kind}, now=now).id for kind in kinds]
            version = ReportVersion(
                id=new_id(),
                case_id=case.id,
                reviewer_id="board",
                report_key=f"R{number}",
                version=1,
                status="final",
                diagnostic_report_id=ids[0],
                composition_id=ids[1],
                composition_version=1,
                content_sha256="0" * 64,
                pdf_sha256=self._blob,
                html_sha256=self._blob,
                created_at=now,
                rendered_at=now,
            )
            reports.add(connection, version)
        return version.id
