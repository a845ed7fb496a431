"""A document cannot be proven clean: it waits until a person vouches for it, and leaves as an Encapsulated PDF."""

from sqlalchemy import Connection

from dicom_node.deidentify import pseudonymous_uid
from dicom_node.encapsulated_pdf import CONTEXT, PdfDocument, StudyIdentity, build_encapsulated_pdf
from fhir_mappings.document_reference import check_pdf, document_from_fhir
from gateway.domain.delivery import DeliveryKind
from gateway.domain.errors import Conflict, Unprocessable
from gateway.domain.party import Endpoint
from gateway.domain.record import Case, CaseDocument, Delivery, DeliveryItem, Study
from gateway.domain.resource import StoredResource
from gateway.domain.study import StudyState
from gateway.domain.work import Job, JobKind
from gateway.services import egress
from gateway.services.core import Core
from gateway.services.egress import business_key
from gateway.services.release import ISSUER, fix_payload, reviewer_node
from gateway.store import audit, cases, outbox, resources, studies

MAX_DOCUMENT_BYTES = 50_000_000
TITLE_OF_CLEARED = "Clinical document"
"""What a reviewer reads; the clinic's own title may name the patient."""


def document_stored(core: Core, connection: Connection, stored: StoredResource) -> None:
    """Effect of a DocumentReference: its PDF joins the case and waits for a person."""
    if stored.version > 1:
        raise Conflict("a document is not changed; send a new DocumentReference that replaces it")
    document = document_from_fhir(stored.content, max_size_bytes=MAX_DOCUMENT_BYTES)
    case_id = document.order_reference.removeprefix("ServiceRequest/")
    case = cases.of_clinic(connection, stored.party_id, case_id)
    if case is None:
        raise Unprocessable("the order is not one of this clinic", at="DocumentReference.context.related")
    if document.patient_reference != f"Patient/{case.patient_id}":
        raise Unprocessable("the document is of another patient than its order", at="DocumentReference.subject")
    content = document.data or resources.binary(connection, stored.party_id, document.binary_url)
    check_pdf(content, max_size_bytes=MAX_DOCUMENT_BYTES, at="DocumentReference.content.attachment")
    sha256 = core.blobs.put(content)
    waiting = CaseDocument(
        id=stored.id,
        case_id=case.id,
        state="waiting",
        title=document.title,
        loinc=document.loinc,
        clinical_date=document.clinical_date,
        original_sha256=sha256,
        cleared_sha256=None,
        cleared_by=None,
        created_at=stored.stored_at,
        cleared_at=None,
    )
    cases.add_document(connection, waiting)
    audit.record(
        connection,
        at=stored.stored_at,
        actor=stored.client_id,
        action="document.received",
        case_id=case.id,
        subject=f"DocumentReference/{stored.id}",
        outcome="waiting",
    )


def original(core: Core, document_id: str, *, actor: str) -> bytes:
    """The PDF as the clinic sent it, for the person who has to clear it; who looked is kept. Raises NotFound."""
    with core.database.write("document.show") as connection:
        document = cases.document_by_id(connection, document_id)
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action="document.shown",
            case_id=document.case_id,
            subject=f"document/{document.id}",
        )
    return core.blobs.get(document.original_sha256)


def approve(core: Core, document_id: str, *, actor: str) -> None:
    """A person has read the document and found no identity in it. Raises NotFound, Conflict."""
    with core.database.write("document.approve") as connection:
        document = _waiting(connection, document_id)
        _clear(core, connection, document, document.original_sha256, "document.approved", actor)


def attach_redacted(core: Core, document_id: str, pdf: bytes, *, actor: str) -> None:
    """A person has made a redacted version; that one leaves. Raises NotFound, Conflict, Unprocessable (no PDF)."""
    check_pdf(pdf, max_size_bytes=MAX_DOCUMENT_BYTES, at="redacted file")
    sha256 = core.blobs.put(pdf)
    with core.database.write("document.redact") as connection:
        _clear(core, connection, _waiting(connection, document_id), sha256, "document.redacted", actor)


def reject(core: Core, document_id: str, *, actor: str) -> None:
    """A person keeps it from leaving. Raises NotFound, Conflict."""
    with core.database.write("document.reject") as connection:
        document, now = _waiting(connection, document_id), core.now()
        cases.reject_document(connection, document.id, by=actor, now=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="document.rejected",
            case_id=document.case_id,
            subject=f"document/{document.id}",
        )


def release_document(core: Core, job: Job) -> None:
    """Prepare the delivery of a cleared document, once consent permits it and a study is there. Idempotent."""
    with core.database.write("document.release") as connection:
        document = cases.document_by_id(connection, job.subject_id)
        case = cases.lock(connection, document.case_id)
        study = _study_of(connection, case)
        node = reviewer_node(connection, case) if case.reviewer_id else None
        if document.state != "cleared" or case.state != "open" or node is None or study is None:
            return
        delivery = _open_delivery(core, connection, case, document, node)
        if delivery.payload_sha256:
            return
        recorded = egress.decide(connection, case, delivery, stage="enqueue", now=core.now())
        if recorded.is_permit:
            fix_payload(core, connection, delivery, [_item(core, case, study, document, delivery)])
    egress.require_decided(recorded)


def _waiting(connection: Connection, document_id: str) -> CaseDocument:
    document = cases.document_by_id(connection, document_id)
    if document.state != "waiting":
        raise Conflict(f"document {document_id} is {document.state} already")
    return document


def _clear(core: Core, connection: Connection, document: CaseDocument, sha256: str, action: str, actor: str) -> None:
    now = core.now()
    cases.clear_document(connection, document.id, sha256=sha256, by=actor, now=now)
    audit.record(
        connection, at=now, actor=actor, action=action, case_id=document.case_id, subject=f"document/{document.id}"
    )
    outbox.enqueue(connection, JobKind.DOCUMENT_RELEASE, document.id, case_id=document.case_id, now=now)


def _study_of(connection: Connection, case: Case) -> Study | None:
    """The case's first study: the document travels beside its images, so it waits for them."""
    matched = studies.listed(connection, case_id=case.id, state=StudyState.MATCHED)
    return matched[0] if matched else None


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


def _item(core: Core, case: Case, study: Study, document: CaseDocument, delivery: Delivery) -> DeliveryItem:
    """The cleared PDF as an object of the pseudonymous study, with UIDs that are the same at every attempt."""
    scope, key = str(case.reviewer_id), core.pseudonym_key
    sop_instance_uid = pseudonymous_uid(key, scope, f"document {document.id}")
    pdf = PdfDocument(
        pdf=core.blobs.get(str(document.cleared_sha256)),
        title=TITLE_OF_CLEARED,
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
    return DeliveryItem(delivery.id, 0, sop_instance_uid, *CONTEXT, sha256, None, None)
