"""An order opens a case; a case gets its reviewer."""

from dataclasses import replace

from sqlalchemy import Connection

from fhir_mappings.service_request import order_from_fhir
from gateway.domain.case import CLOSING_STATUS, CaseState, Order
from gateway.domain.errors import Conflict, Unprocessable
from gateway.domain.party import PartyKind
from gateway.domain.pseudonym import pseudonym_token
from gateway.domain.record import Case, Study
from gateway.domain.resource import StoredResource
from gateway.services import closing
from gateway.services.core import Core
from gateway.services.reassigning import (
    ASSIGNED,
    Cause,
    cancel_disclosures,
    cause_of,
    follow,
    named_reviewer,
    revive_disclosures,
)
from gateway.services.revocation import redecide_case
from gateway.services.second_look import look_again, look_again_at_unmatched
from gateway.store import audit, cases, parties, resources


def order_stored(core: Core, connection: Connection, stored: StoredResource) -> None:
    """Effect of a ServiceRequest: a new one opens a case, a later version says what it waits for and whose it is."""
    order = order_from_fhir(stored.content)
    if stored.version == 1:
        case = _opened(core, connection, stored, order)
    else:
        case = _of_patient(connection, cases.lock(connection, stored.id), order, stored)
        case = follow(connection, case, order, stored)
        _change_state(connection, case, order, stored)
    keys = [(cases.STUDY_INSTANCE_UID, uid) for uid in order.study_instance_uids]
    keys += [(cases.ACCESSION_NUMBER, number) for number in order.accession_numbers]
    cases.replace_keys(connection, case, keys)
    named = {value for _, value in keys}
    patient = resources.identifiers(connection, stored.party_id, case.patient_id)
    numbers = {identifier.value for identifier in patient}

    def may_be_its(study: Study) -> bool:
        return bool({study.study_instance_uid, study.accession_number} & named) or study.patient_id in numbers

    look_again_at_unmatched(connection, stored.party_id, may_be_its, now=stored.stored_at)


def assign(core: Core, case_id: str, reviewer_name: str, *, actor: str) -> None:
    """Give the case to a reviewer. Raises NotFound, and Conflict once it has one."""
    with core.database.write("case.assign") as connection:
        now = core.now()
        case = cases.lock(connection, case_id)
        reviewer = parties.party_by_name(connection, reviewer_name)
        if reviewer.kind is not PartyKind.REVIEWER:
            raise Conflict(f"{reviewer_name!r} is not a reviewer")
        if case.reviewer_id is not None:
            raise Conflict("the case has a reviewer already")
        cases.set_reviewer(connection, case.id, reviewer.id)
        audit.record(connection, at=now, actor=actor, action=ASSIGNED, case_id=case.id, subject=reviewer.id)
        if case.state is CaseState.OPEN:
            revive_disclosures(connection, replace(case, reviewer_id=reviewer.id), Cause(actor, now, {}))
        look_again(connection, case, now=now)


def _opened(core: Core, connection: Connection, stored: StoredResource, order: Order) -> Case:
    patient_id = order.patient_reference.removeprefix("Patient/")
    if resources.type_of(connection, stored.party_id, patient_id) != "Patient":
        raise Unprocessable("the order's subject is not a Patient of this clinic", at="ServiceRequest.subject")
    reviewer, is_closed = named_reviewer(connection, stored.party_id, order), order.status in CLOSING_STATUS
    case = Case(
        id=stored.id,
        clinic_id=stored.party_id,
        reviewer_id=reviewer.id if reviewer else None,
        patient_id=patient_id,
        pseudonym=pseudonym_token(core.pseudonym_key, "case", stored.id, prefix=core.token_prefix),
        state=CaseState.CLOSED if is_closed else CaseState.OPEN,
        created_at=stored.stored_at,
        closed_at=stored.stored_at if is_closed else None,
    )
    cases.add(connection, case)
    audit.record(
        connection,
        at=stored.stored_at,
        actor=stored.client_id,
        action="case.open",
        case_id=case.id,
        subject=f"ServiceRequest/{stored.id}",
    )
    return case


def _of_patient(connection: Connection, case: Case, order: Order, stored: StoredResource) -> Case:
    """The case of the patient whom the order names now: a record that the one before was merged into."""
    patient_id = order.patient_reference.removeprefix("Patient/")
    if patient_id == case.patient_id:
        return case
    cases.set_patient(connection, case.id, patient_id)
    who, details = stored.client_id, {"from": f"Patient/{case.patient_id}", "to": order.patient_reference}
    audit.record_of_case(connection, case.id, "case.follow-merge", at=stored.stored_at, actor=who, details=details)
    moved = replace(case, patient_id=patient_id)
    redecide_case(connection, moved, stage="consent", now=stored.stored_at)
    return moved


def _change_state(connection: Connection, case: Case, order: Order, stored: StoredResource) -> None:
    """A closed case discloses nothing more; what that stopped goes on when the order is opened again.

    Raises Unprocessable for a later version of an order whose case the centre has closed, unless it ends the order.
    """
    state = CaseState.CLOSED if order.status in CLOSING_STATUS else CaseState.OPEN
    if state == case.state:
        return
    who, now = stored.client_id, stored.stored_at
    if state is CaseState.CLOSED:
        closing.set_closed(connection, case, reason=f"the order is {order.status}", actor=who, now=now)
        cancel_disclosures(connection, case, cause_of(order, stored))
        return
    if not _had_ended(connection, stored):
        raise Unprocessable("the case is closed; send a new order, or ask the centre to open it again")
    closing.set_open(connection, case, actor=who, now=now)
    revive_disclosures(connection, case, cause_of(order, stored))
    look_again(connection, case, now=now)


def _had_ended(connection: Connection, stored: StoredResource) -> bool:
    """Whether the version before this one said that the order has ended."""
    before = resources.version(connection, stored.party_id, stored.type, stored.id, stored.version - 1)
    return before.content.get("status") in CLOSING_STATUS
