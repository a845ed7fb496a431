"""A document cannot be proven clean: it waits until a person vouches for it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.binary import binary_data
from fhir_mappings.document_reference import check_pdf, document_from_fhir, patient_and_order
from gateway.domain.case import CaseState, DocumentState, IncomingDocument
from gateway.domain.errors import Conflict, Gone, NotFound, Transient, Unprocessable
from gateway.domain.record import Case, CaseDocument
from gateway.domain.resource import StoredResource
from gateway.domain.work import JobKind
from gateway.services.core import Core
from gateway.services.resource_transaction import Effect
from gateway.store import audit, cases, outbox, resources

MAX_DOCUMENT_BYTES = 50_000_000
_ATTACHMENT = "DocumentReference.content.attachment"


def keep_content(
    core: Core, party_id: str, resource: dict[str, Any], arriving: Mapping[str, Mapping[str, Any]]
) -> Effect:
    """Put the PDF of a DocumentReference on the disk, before the transaction that stores the resource begins.

    Gives what happens inside that transaction. `arriving` are the resources of the same request by `Type/id`. Raises
    Invalid and Unprocessable as `document_from_fhir` does, and Full.
    """
    document = document_from_fhir(resource, max_size_bytes=MAX_DOCUMENT_BYTES)
    content = document.data
    if content is None:
        if document.binary_url in arriving:
            content = binary_data(arriving[document.binary_url])
        else:
            content = _stored_binary(core, party_id, document.binary_url)
    if content is None:
        return partial(_come_before_its_binary, document.binary_url)
    check_pdf(content, max_size_bytes=MAX_DOCUMENT_BYTES, at=_ATTACHMENT)
    return partial(_document_stored, replace(document, data=None), core.blobs.put(content))


def _come_before_its_binary(url: str, connection: Connection, stored: StoredResource) -> None:
    """Raises Unprocessable while nobody has the Binary, and Transient when it came after it had been looked for."""
    try:
        resources.binary(connection, stored.party_id, url)
    except NotFound as exc:
        raise Unprocessable("there is no Binary here under this url", at=f"{_ATTACHMENT}.url") from exc
    raise Transient("the Binary of this document arrived only now; send the document again")


def _document_stored(document: IncomingDocument, sha256: str, connection: Connection, stored: StoredResource) -> None:
    """Effect of a DocumentReference: its PDF, on the disk already, joins the case and waits for a person.

    `document` was read while its references may still have had stand-ins; those are read from what is stored.
    """
    if stored.version > 1:
        raise Conflict("a document is not changed; send a new DocumentReference that replaces it")
    case = _case_of(connection, stored)
    waiting = CaseDocument(
        id=stored.id,
        case_id=case.id,
        state=DocumentState.WAITING,
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


def _case_of(connection: Connection, stored: StoredResource) -> Case:
    """The case that a document belongs to. Raises Unprocessable when it is not the clinic's and that patient's."""
    patient_reference, order_reference = patient_and_order(stored.content)
    case = cases.of_clinic(connection, stored.party_id, order_reference.removeprefix("ServiceRequest/"))
    if case is None:
        raise Unprocessable("the order is not one of this clinic", at="DocumentReference.context.related")
    if patient_reference != f"Patient/{case.patient_id}":
        raise Unprocessable("the document is of another patient than its order", at="DocumentReference.subject")
    if case.state != CaseState.OPEN:
        at = "DocumentReference.context.related"
        raise Unprocessable("the case is closed; send a new order, or ask the centre to open it again", at=at)
    return case


def original(core: Core, document_id: str, *, actor: str) -> bytes:
    """The PDF as the clinic sent it, for the person who has to clear it; who looked is kept. Raises NotFound."""
    return core.blobs.get(shown(core, document_id, actor=actor).original_sha256)


def shown(core: Core, document_id: str, *, actor: str) -> CaseDocument:
    """The document with its title, which may name the patient; who looked is kept. Raises NotFound."""
    with core.database.write("document.show") as connection:
        document = _kept(connection, document_id)
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action="document.shown",
            case_id=document.case_id,
            subject=f"document/{document.id}",
        )
    return document


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


def _stored_binary(core: Core, party_id: str, url: str) -> bytes | None:
    with core.database.read() as connection:
        try:
            return resources.binary(connection, party_id, url)
        except NotFound:
            return None


def _kept(connection: Connection, document_id: str) -> CaseDocument:
    """The document, with its content. Raises NotFound, and Gone once that was destroyed."""
    document = cases.document_by_id(connection, document_id)
    if not document.original_sha256:
        raise Gone(f"the content of document {document_id} was destroyed")
    return document


def _waiting(connection: Connection, document_id: str) -> CaseDocument:
    """The document, its case locked: people who decide on it at once take turns."""
    cases.lock(connection, cases.document_by_id(connection, document_id).case_id)
    document = _kept(connection, document_id)
    if document.state != DocumentState.WAITING:
        raise Conflict(f"document {document_id} is {document.state} already")
    return document


def _clear(core: Core, connection: Connection, document: CaseDocument, sha256: str, action: str, actor: str) -> None:
    now = core.now()
    cases.clear_document(connection, document.id, sha256=sha256, by=actor, now=now)
    audit.record(
        connection, at=now, actor=actor, action=action, case_id=document.case_id, subject=f"document/{document.id}"
    )
    outbox.enqueue(connection, JobKind.DOCUMENT_RELEASE, document.id, case_id=document.case_id, now=now)
