"""That a person looked at something of a patient is committed before it is shown."""

from collections.abc import Sequence

from gateway.domain.people import Person
from gateway.services.core import Core
from gateway.store import audit


def record_look(
    core: Core,
    action: str,
    *,
    actor: str,
    case_id: str | None = None,
    patient_id: str | None = None,
    subject: str = "",
) -> None:
    """Leave an audit row of the look; `action` is `noun.verb`. Without a `subject` it is the case or the patient."""
    of_whom = f"Patient/{patient_id}" if patient_id else ""
    with core.database.write("audit.look") as connection:
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action=action,
            case_id=case_id,
            patient_id=patient_id,
            subject=subject or (f"case/{case_id}" if case_id else of_whom),
        )


def record_view(core: Core, person: Person, page: str, case_ids: Sequence[str]) -> None:
    """The same of a person who looks at a list of cases in a browser: a row for each, or one where there was none."""
    with core.database.write("page.view") as connection:
        for case_id in case_ids or (None,):
            audit.record(
                connection,
                at=core.now(),
                actor=person.actor,
                action="page.view",
                case_id=case_id,
                subject=f"page/{page}",
            )
