"""Rows of the audit trail, one for each shape that an AuditEvent has."""

from datetime import UTC, datetime
from typing import Any

from gateway.domain.audit_record import AuditRecord

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_PARTY = {"party": "clinic", "address": "192.0.2.7"}
_DECISION = {
    "decision": "d1",
    "kind": "study-to-reviewer",
    "flow": "disclose-to-reviewer",
    "to": "board",
    "purposes": ["TREAT"],
    "consents": ["c1/2"],
}


def _record(number: int, action: str, *, actor: str = "ehr", outcome: str = "success", **more: Any) -> AuditRecord:
    values = {"case_id": "o1", "patient_id": "p1", "subject": "", "details": {}} | more
    return AuditRecord(id=number, at=NOW, actor=actor, action=action, outcome=outcome, **values)


AUDIT_RECORDS = {
    "read": _record(1, "fhir.read", subject="Consent/c1/_history/2", details=_PARTY),
    "search": _record(2, "fhir.search", subject="Patient/p1/_history/1", details=_PARTY | {"by": ["identifier"]}),
    "create": _record(
        3, "fhir.create", subject="Organization/g1/_history/1", patient_id="", case_id="", details=_PARTY
    ),
    "disclosure": _record(
        4,
        "egress.granted",
        actor="gateway",
        subject="delivery/v1",
        details=_DECISION | {"endpoint": "board-node", "address": "BOARD@192.0.2.9:104", "grant": "g1"},
    ),
    "decision": _record(
        5,
        "egress.denied",
        actor="consent",
        outcome="denied",
        subject="delivery/v1",
        details=_DECISION | {"reasons": ["consent c1/2 was revoked"]},
    ),
    "login": _record(6, "oauth.token", patient_id="", case_id="", subject="ehr"),
    "association": _record(
        9,
        "dicom.denied",
        actor="dicom-node",
        outcome="denied",
        patient_id="",
        case_id="",
        subject="endpoint/e1",
        details={"reason": "called-ae-title", "address": "192.0.2.9"},
    ),
    "settings": _record(
        10,
        "settings.changed",
        actor="web",
        patient_id="",
        case_id="",
        subject="settings/web",
        details={"changed": ["web.host", "web.port"], "digests": {"web.host": "0123", "web.port": "4567"}},
    ),
    "look": _record(7, "case.show", actor="cli:ayse", subject="case/o1"),
    "configuration": _record(8, "endpoint.change", actor="cli:ayse", patient_id="", case_id="", subject="endpoint/e1"),
}
