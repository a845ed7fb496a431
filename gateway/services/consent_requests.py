"""A report that waits for a consent asks the clinic for it, by a Task that the clinic reads."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.codes import DELIVERY_SYSTEM
from fhir_mappings.consent_task import ConsentRequest, Progress, consent_task
from gateway.domain.consent import Decision, Outcome
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier
from gateway.domain.record import Case, Delivery
from gateway.services.disclosure import asked
from gateway.services.resources import store_internal
from gateway.store import cases, parties, resources

MOST_REASONS = 10
"""What a Task tells of the consents that do not do; a clinic may have any number of them."""


def wants_consent(decision: Decision) -> bool:
    """Whether it is denied because nothing permits it, not because the patient said no or a transfer is missing."""
    has_spoken = any(step.matched and step.effect is not None for step in decision.steps)
    return decision.outcome is Outcome.DENY and decision.transfer is not None and not has_spoken


def decided(connection: Connection, case: Case, delivery: Delivery, decision: Decision, *, now: datetime) -> None:
    """In the transaction of a decision on a report: ask the clinic, or tell it that the consent is there.

    The request says why what is on file does not permit it: a consent that was taken back is no denial, and the clinic
    may ask for another one. Where the patient has said no, by a consent that denies, nobody is asked any more. A
    decision that could not be made changes nothing.
    """
    if delivery.kind.flow is not Flow.RETURN_TO_CLINIC or decision.outcome is Outcome.INDETERMINATE:
        return
    if wants_consent(decision):
        in_the_way = decision.reasons[1:]  # the first says that nothing permits it
        _tell(connection, case, delivery, Progress.MISSING, now, in_the_way)
    elif decision.outcome is Outcome.PERMIT:
        _tell(connection, case, delivery, Progress.THERE, now)
    else:
        _tell(connection, case, delivery, Progress.NOT_NEEDED, now)


def description(wanted: str, in_the_way: Sequence[str]) -> str:
    """What is wanted, and the first reasons why nothing on file is it."""
    left = len(in_the_way) - MOST_REASONS
    more = (f"And {left} more.",) if left > 0 else ()
    return " ".join((wanted, *in_the_way[:MOST_REASONS], *more))


def ended(connection: Connection, delivery: Delivery, *, now: datetime) -> None:
    """Nothing more is sent of the delivery: its request, where it stands, is not needed any more."""
    if delivery.kind.flow is Flow.RETURN_TO_CLINIC:
        _tell(connection, cases.by_id(connection, delivery.case_id), delivery, Progress.NOT_NEEDED, now)


def _tell(
    connection: Connection,
    case: Case,
    delivery: Delivery,
    progress: Progress,
    now: datetime,
    in_the_way: Sequence[str] = (),
) -> None:
    """Write the Task where it says something else than before; one that was never asked is not answered."""
    found = resources.id_by_identifier(connection, case.clinic_id, "Task", Identifier(DELIVERY_SYSTEM, delivery.id))
    current = resources.current(connection, case.clinic_id, "Task", found).content if found else {}
    status = current.get("status")
    if progress is not Progress.MISSING and status != Progress.MISSING.status:
        return
    wanted = f"A consent of the patient that permits {asked(connection, delivery)}; the report waits for it."
    said = description(wanted, in_the_way)
    if (status, current.get("description")) == (progress.status, said):
        return
    clinic = parties.party_by_id(connection, case.clinic_id)
    since = datetime.fromisoformat(current["authoredOn"]) if current else now
    task = consent_task(ConsentRequest(case, clinic, delivery.id, said, since), progress, now)
    store_internal(connection, case.clinic_id, task | ({"id": found} if found else {}), now=now)
