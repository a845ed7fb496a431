"""A cleared document leaves as an Encapsulated PDF of the pseudonymous study, beside its images."""

from dataclasses import dataclass

from sqlalchemy import Connection

from dicom_node.encapsulated_pdf import CONTEXT, PdfDocument, StudyIdentity, build_encapsulated_pdf
from gateway.domain.case import CaseState, DocumentState
from gateway.domain.delivery import DeliveryKind
from gateway.domain.party import Endpoint
from gateway.domain.pseudonym import pseudonymous_uid
from gateway.domain.record import Case, CaseDocument, Delivery, DeliveryItem, Study
from gateway.domain.review import TITLE_OF_DOCUMENT
from gateway.domain.work import Job
from gateway.services import egress
from gateway.services.core import Core
from gateway.services.egress import business_key
from gateway.services.kept_blobs import kept_blob
from gateway.services.release import ISSUER, fix_payload, lock_unprepared, reviewer_node
from gateway.services.succession import study_of_documents
from gateway.store import cases


@dataclass(frozen=True)
class _Permitted:
    """A document that may leave, and beside which images."""

    document: CaseDocument
    case: Case
    study: Study
    delivery: Delivery


def release_document(core: Core, job: Job) -> None:
    """Prepare the delivery of a cleared document, once consent permits it and a study is there. Idempotent.

    It leaves when the study's images have (`succession`).
    """
    permitted = _permitted(core, job)
    if permitted is None:
        return
    item = _item(core, permitted)
    with core.database.write("document.prepare") as connection:
        current = lock_unprepared(connection, permitted.delivery.id)
        if current is not None:
            fix_payload(core, connection, current, [item])


def _permitted(core: Core, job: Job) -> _Permitted | None:
    """What is to be prepared now; None when there is nothing to send or no permit for it."""
    with core.database.write("document.release") as connection:
        document = cases.document_by_id(connection, job.subject_id)
        case = cases.lock(connection, document.case_id)
        study = study_of_documents(connection, case.id)
        node = reviewer_node(connection, case) if case.reviewer_id else None
        if document.state != DocumentState.CLEARED or case.state != CaseState.OPEN or node is None or study is None:
            return None
        delivery = _open_delivery(core, connection, case, document, node)
        if delivery.payload_sha256:
            return None
        recorded = egress.decide(connection, case, delivery, stage="enqueue", now=core.now())
    egress.require_decided(recorded)
    return _Permitted(document, case, study, delivery) if recorded.is_permit else None


def _open_delivery(core: Core, connection: Connection, case: Case, document: CaseDocument, node: Endpoint) -> Delivery:
    return egress.open_delivery(
        connection,
        case,
        kind=DeliveryKind.DOCUMENT_TO_REVIEWER,
        endpoint_id=node.id,
        subject_id=document.id,
        business_key=business_key("document", document.id, node.id, 0),
        now=core.now(),
    )


def _item(core: Core, permitted: _Permitted) -> DeliveryItem:
    """The cleared PDF as an object of the pseudonymous study, with UIDs that are the same at every attempt."""
    document, case, study = permitted.document, permitted.case, permitted.study
    scope, key = str(case.reviewer_id), core.pseudonym_key
    sop_instance_uid = pseudonymous_uid(key, scope, f"document {document.id}")
    pdf = PdfDocument(
        pdf=kept_blob(core, str(document.cleared_sha256)),
        title=TITLE_OF_DOCUMENT,
        made_at=document.cleared_at or document.created_at,
        series_instance_uid=pseudonymous_uid(key, scope, f"document series {document.id}"),
        sop_instance_uid=sop_instance_uid,
        has_identity_burned_in=False,
        is_pseudonymous=True,
    )
    identity = StudyIdentity(
        study_instance_uid=pseudonymous_uid(key, scope, study.study_instance_uid),
        patient_id=case.pseudonym,
        issuer_of_patient_id=ISSUER,
        patient_name=case.pseudonym,
        accession_number=study.accession_pseudonym,
        study_id=study.accession_pseudonym,
    )
    sha256 = core.blobs.put(build_encapsulated_pdf(pdf, identity))
    return DeliveryItem(permitted.delivery.id, 0, sop_instance_uid, *CONTEXT, sha256, None, None)
