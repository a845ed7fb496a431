"""A recall notice -> Communication, for the clinic to read (https://hl7.org/fhir/R4/communication.html).

| FHIR path                 | source                      | required | note                                                        |
| ------------------------- | --------------------------- | -------- | ----------------------------------------------------------- |
| identifier                | notice.id                   | yes      | https://consilium.example/fhir/sid/recall                   |
| basedOn                   | notice.case_id              | yes      | ServiceRequest/id                                           |
| status                    | notice                      | yes      | in-progress; completed once acknowledged; stopped: no need  |
| statusReason.text         | notice                      | no       | who acknowledged it, or what permits it again               |
| category                  | -                           | yes      | communication-category#notification                         |
| priority                  | -                           | yes      | urgent                                                      |
| subject                   | case.patient_id             | yes      | Patient/id                                                  |
| about                     | consent, delivery, its item | yes      | Consent/id, the delivery by identifier if any, what left    |
| recipient                 | recipient.identifiers       | yes      | who is asked to delete it, by the registered identifiers    |
| sent                      | notice.created_at           | yes      | since when it stands                                        |
| received                  | notice.acknowledged_at      | no       | when a person took it up                                    |
| payload.contentString     | words                       | yes      | what left and why it is asked back; no patient data         |
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_mappings.codes import DELIVERY_SYSTEM, RECALL_SYSTEM
from gateway.domain.party import Party, PartyKind
from gateway.domain.record import RecallNotice

_CATEGORY = "http://terminology.hl7.org/CodeSystem/communication-category"


@dataclass(frozen=True)
class RecallMessage:
    """A notice with what a clinic has to know of it. `about` is the literal reference of what left, '' for none."""

    notice: RecallNotice
    patient_id: str
    recipient: Party
    about: str
    words: str
    withdrawn_by: str = ""


def recall_communication(message: RecallMessage) -> dict[str, Any]:
    """Without an id: that is the store's."""
    notice = message.notice
    delivery = {"identifier": {"system": DELIVERY_SYSTEM, "value": notice.delivery_id}}
    about = [
        {"reference": f"Consent/{notice.consent_id}"},
        *([delivery] if notice.delivery_id else []),
        *([{"reference": message.about}] if message.about else []),
    ]
    content: dict[str, Any] = {
        "resourceType": "Communication",
        "identifier": [{"system": RECALL_SYSTEM, "value": notice.id}],
        "basedOn": [{"reference": f"ServiceRequest/{notice.case_id}"}],
        "status": _status(message),
        "category": [{"coding": [{"system": _CATEGORY, "code": "notification"}]}],
        "priority": "urgent",
        "subject": {"reference": f"Patient/{message.patient_id}"},
        "about": about,
        "recipient": [_named(message.recipient)],
        "sent": _instant(notice.created_at),
        "payload": [{"contentString": message.words}],
    }
    if reason := _reason(message):
        content["statusReason"] = {"text": reason}
    if notice.acknowledged_at is not None and not message.withdrawn_by:
        content["received"] = _instant(notice.acknowledged_at)
    return content


def _status(message: RecallMessage) -> str:
    if message.withdrawn_by:
        return "stopped"
    return "completed" if message.notice.acknowledged_at else "in-progress"


def _reason(message: RecallMessage) -> str:
    if message.withdrawn_by:
        return f"permitted again by consent {message.withdrawn_by}; nobody has to ask for it back"
    if message.notice.acknowledged_at is not None:
        return f"{message.notice.acknowledged_by} has asked the recipient to delete it"
    return ""


def _named(recipient: Party) -> dict[str, Any]:
    """By the first registered identifier; of a reviewer it is not known whether it is a person or a board."""
    first = recipient.identifiers[0]
    named: dict[str, Any] = {
        "identifier": {"system": first.system, "value": first.value},
        "display": recipient.name,
    }
    return ({"type": "Organization"} if recipient.kind is PartyKind.CLINIC else {}) | named


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
