"""Lists for the people who run the gateway: ids, names of parties, states and times, never patient data.

The one exception is `quarantine_entry`, which shows both values of a contradiction to a person and records that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryState
from gateway.domain.record import CaseDocument, Delivery, DeliveryItem, Study
from gateway.domain.study import StudyState
from gateway.services.core import Core
from gateway.services.delivery_waits import delivery_wait
from gateway.services.waits import study_wait
from gateway.store import audit, cases, deliveries, parties, studies, tokens
from gateway.store.studies import Quarantined


@dataclass(frozen=True)
class CaseLine:
    """A case in a list; `reviewer` is empty while nobody is assigned."""

    id: str
    pseudonym: str
    clinic: str
    reviewer: str
    state: str
    created_at: datetime


@dataclass(frozen=True)
class StudyLine:
    """A study in a list; `case_id` is empty while it is unmatched, `waits_for` when nothing of it is held back."""

    id: str
    clinic: str
    case_id: str
    state: str
    instances: int
    study_instance_uid: str
    last_received_at: datetime
    waits_for: str


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery in a list, with the name of its endpoint."""

    id: str
    case_id: str
    kind: str
    endpoint: str
    state: str
    attempts: int
    waits_for: str
    last_error: str
    changed_at: datetime


@dataclass(frozen=True)
class DeliveryView:
    """A delivery with its objects and its receipt."""

    delivery: DeliveryLine
    items: tuple[DeliveryItem, ...]
    receipt: dict[str, str] | None


@dataclass(frozen=True)
class QuarantineLine:
    """What waits for a person, without the values."""

    id: str
    kind: str
    case_id: str
    study_id: str
    reason: str
    created_at: datetime
    resolution: str


@dataclass(frozen=True)
class ClientLine:
    """An OAuth client and whose it is."""

    id: str
    party: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class AuditLine:
    """One audit row as it was committed."""

    id: int
    at: datetime
    actor: str
    action: str
    outcome: str
    subject: str
    details: dict[str, object]


def case_lines(core: Core, *, limit: int) -> list[CaseLine]:
    """Newest first."""
    with core.database.read() as connection:
        names = _party_names(connection)
        return [
            CaseLine(
                one.id,
                one.pseudonym,
                names[one.clinic_id],
                names.get(one.reviewer_id or "", ""),
                one.state,
                one.created_at,
            )
            for one in cases.listed(connection, limit=limit)
        ]


def study_lines(
    core: Core, *, limit: int, case_id: str | None = None, state: StudyState | None = None
) -> list[StudyLine]:
    """Newest first."""
    with core.database.read() as connection:
        return _study_lines(connection, studies.listed(connection, case_id=case_id, state=state, newest=limit))


def study_line(core: Core, study_id: str) -> StudyLine:
    """Raises NotFound."""
    with core.database.read() as connection:
        return _study_lines(connection, [studies.by_id(connection, study_id)])[0]


def delivery_lines(
    core: Core, *, limit: int, case_id: str | None = None, states: Sequence[DeliveryState] = ()
) -> list[DeliveryLine]:
    """Newest first."""
    with core.database.read() as connection:
        names = _endpoint_names(connection)
        found = deliveries.listed(connection, case_id=case_id, states=states, newest=limit)
        return [_delivery_line(connection, one, names) for one in found]


def delivery_view(core: Core, delivery_id: str) -> DeliveryView:
    """Raises NotFound."""
    with core.database.read() as connection:
        delivery = deliveries.by_id(connection, delivery_id)
        items = tuple(deliveries.items(connection, delivery_id))
        receipt = deliveries.receipts(connection, delivery.case_id).get(delivery_id)
        return DeliveryView(_delivery_line(connection, delivery, _endpoint_names(connection)), items, receipt)


def quarantine_lines(core: Core, *, limit: int, is_open: bool = True) -> list[QuarantineLine]:
    """Oldest first; with `is_open` False the resolved ones too."""
    with core.database.read() as connection:
        return [
            QuarantineLine(
                one.id,
                one.kind,
                one.case_id or "",
                one.study_id or "",
                one.reason,
                one.created_at,
                one.resolution or "",
            )
            for one in studies.quarantined(connection, is_open=is_open, limit=limit)
        ]


def quarantine_entry(core: Core, quarantine_id: str, *, actor: str) -> Quarantined:
    """One entry with both values; that `actor` saw them is recorded. Raises NotFound."""
    with core.database.write("quarantine.show") as connection:
        entry = studies.quarantined_by_id(connection, quarantine_id)
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action="quarantine.shown",
            case_id=entry.case_id,
            subject=f"quarantine/{entry.id}",
        )
    return entry


def documents(core: Core, *, limit: int, case_id: str | None = None) -> list[CaseDocument]:
    """Newest first."""
    with core.database.read() as connection:
        return cases.documents(connection, case_id=case_id, newest=limit)


def client_lines(core: Core) -> list[ClientLine]:
    """By id, the revoked ones too."""
    with core.database.read() as connection:
        names = _party_names(connection)
        return [
            ClientLine(one.id, names[one.party_id], one.created_at, one.revoked_at)
            for one in tokens.clients(connection)
        ]


def audit_lines(core: Core, case_id: str, *, limit: int) -> list[AuditLine]:
    """Newest first. Raises NotFound (the case)."""
    with core.database.read() as connection:
        cases.by_id(connection, case_id)
        return [
            AuditLine(row.id, row.at, row.actor, row.action, row.outcome, row.subject, dict(row.details))
            for row in audit.newest_of_case(connection, case_id, limit)
        ]


def sealed_rows(core: Core) -> int:
    """How long the chain is."""
    with core.database.read() as connection:
        return audit.length(connection)


def verified_audit(core: Core, advance: Callable[[int], None]) -> audit.Verification:
    """A walk over the whole chain; `advance` hears of each part how many rows it had."""
    with core.database.read() as connection:
        return audit.verify(connection, advance)


def _party_names(connection: Connection) -> dict[str, str]:
    return {party.id: party.name for party in parties.parties(connection)}


def _endpoint_names(connection: Connection) -> dict[str, str]:
    return {endpoint.id: endpoint.name for endpoint in parties.endpoints(connection)}


def _study_lines(connection: Connection, found: Sequence[Study]) -> list[StudyLine]:
    names = _party_names(connection)
    counts = studies.instance_counts(connection, [one.id for one in found])
    return [
        StudyLine(
            one.id,
            names[one.clinic_id],
            one.case_id or "",
            one.state,
            counts.get(one.id, 0),
            one.study_instance_uid,
            one.last_received_at,
            study_wait(connection, one),
        )
        for one in found
    ]


def _delivery_line(connection: Connection, delivery: Delivery, names: dict[str, str]) -> DeliveryLine:
    return DeliveryLine(
        delivery.id,
        delivery.case_id,
        delivery.kind,
        names[delivery.endpoint_id],
        delivery.state,
        delivery.attempts,
        delivery_wait(connection, delivery),
        delivery.last_error,
        delivery.changed_at,
    )
