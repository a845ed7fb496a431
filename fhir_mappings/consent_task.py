"""A report that waits for a consent -> Task, which asks the clinic for it (https://hl7.org/fhir/R4/task.html).

| FHIR path       | source              | required | note                                                                 |
| --------------- | ------------------- | -------- | -------------------------------------------------------------------- |
| identifier      | delivery.id         | yes      | https://consilium.example/fhir/sid/delivery                          |
| basedOn, focus  | case.id             | yes      | ServiceRequest/id                                                    |
| status          | progress            | yes      | requested; completed: the consent is there; cancelled: no more needed |
| businessStatus  | progress            | yes      | https://consilium.example/fhir/CodeSystem/consent-request            |
| intent          | -                   | yes      | order                                                                |
| code            | -                   | yes      | obtain-consent, of the same system                                   |
| description     | what it has to say  | yes      | flow, recipient, purpose; why those on file do not permit it         |
| for             | case.patient_id     | yes      | Patient/id                                                           |
| authoredOn      | since               | yes      | when the report was first held for it                                |
| lastModified    | now                 | yes      |                                                                      |
| owner           | clinic.identifiers  | yes      | the first of them                                                    |
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from fhir_mappings.codes import CONSENT_REQUEST_SYSTEM, DELIVERY_SYSTEM
from gateway.domain.party import Party
from gateway.domain.record import Case


class Progress(StrEnum):
    """How far a request for a consent has come: the code of its businessStatus."""

    MISSING = "missing"
    THERE = "there"
    NOT_NEEDED = "not-needed"

    @property
    def status(self) -> str:
        """Task.status."""
        return _STATUS[self]


_STATUS = {Progress.MISSING: "requested", Progress.THERE: "completed", Progress.NOT_NEEDED: "cancelled"}


@dataclass(frozen=True)
class ConsentRequest:
    """What the clinic is asked for, and for which delivery of which case; `wanted` has no patient data in it."""

    case: Case
    clinic: Party
    delivery_id: str
    wanted: str
    since: datetime


def consent_task(request: ConsentRequest, progress: Progress, now: datetime) -> dict[str, Any]:
    """Without an id: that is the store's."""
    order = {"reference": f"ServiceRequest/{request.case.id}"}
    owner = request.clinic.identifiers[0]
    return {
        "resourceType": "Task",
        "identifier": [{"system": DELIVERY_SYSTEM, "value": request.delivery_id}],
        "basedOn": [order],
        "status": progress.status,
        "businessStatus": _concept(progress),
        "intent": "order",
        "priority": "urgent",
        "code": _concept("obtain-consent"),
        "description": request.wanted,
        "focus": order,
        "for": {"reference": f"Patient/{request.case.patient_id}"},
        "authoredOn": _instant(request.since),
        "lastModified": _instant(now),
        "owner": {
            "type": "Organization",
            "identifier": {"system": owner.system, "value": owner.value},
            "display": request.clinic.name,
        },
    }


def _concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": CONSENT_REQUEST_SYSTEM, "code": str(code)}]}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
