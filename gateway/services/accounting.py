"""Accounting of disclosures: what of a patient was let go, to whom, when, why and on which consents.

45 CFR 164.528(b): date, recipient with its address if known, what, and why, six years back. Also what GDPR art.
15(1)(c) and KVKK art. 11 let the patient ask for. It rests on audit rows alone, which outlive what retention destroys;
ids stand for what is gone. Names and addresses are those of that moment, the country is the one registered now.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from gateway.domain.accounting_words import status_in_words
from gateway.domain.audit_record import Accounting, AuditRecord, Disclosure
from gateway.domain.party import Endpoint
from gateway.services.core import Core
from gateway.store import audit, cases, parties, reads, recalls, transfers

YEARS = 6
GRANTED = "egress.granted"
ACKNOWLEDGED, RECALLED = "delivery.delivered", "recall.notice"
_ACTIONS = (GRANTED, reads.GRANTED, ACKNOWLEDGED, RECALLED, recalls.WITHDRAWN)
_KINDS = {
    "study-to-reviewer": "images of a study, de-identified",
    "document-to-reviewer": "a document, de-identified",
    "report-to-ehr": "the report",
    "report-to-pacs": "the report, as an object of a study",
}
_PAGE = 1000


def six_years_before(moment: datetime) -> datetime:
    """The same day six years earlier; of 29 February, 1 March."""
    try:
        return moment.replace(year=moment.year - YEARS)
    except ValueError:
        return moment.replace(year=moment.year - YEARS, month=3, day=1)


def accounting_of_patient(core: Core, patient_id: str, *, since: datetime | None) -> Accounting:
    """Everything of that patient, six years back without `since`. Raises NotFound."""
    now = core.now()
    since = since or six_years_before(now)
    with core.database.read() as connection:
        clinic = parties.party_by_id(connection, audit.require_patient(connection, patient_id))
        case_ids = tuple(one.id for one in cases.listed(connection, patient_ids=(patient_id,)))
        found = tuple(_disclosures(connection, list(_records(connection, patient_id, since)), since))
    return Accounting(patient_id, clinic.name, clinic.time_zone, case_ids, since, now, found)


def accounting_of_case(core: Core, case_id: str, *, since: datetime | None) -> Accounting:
    """The same of one case of a patient. Raises NotFound."""
    now = core.now()
    since = since or six_years_before(now)
    with core.database.read() as connection:
        case = cases.by_id(connection, case_id)
        rows = [row for row in audit.of_case(connection, case_id, actions=_ACTIONS) if row.at >= since]
        found = tuple(_disclosures(connection, [audit.record_of(row) for row in rows], since))
        clinic = parties.party_by_id(connection, case.clinic_id)
    return Accounting(case.patient_id, clinic.name, clinic.time_zone, (case_id,), since, now, found)


def _records(connection: Connection, patient_id: str, since: datetime) -> Iterator[AuditRecord]:
    """All that tell of disclosures since then, however many, newest first."""
    before = 0
    while rows := audit.of_patient(connection, patient_id, actions=_ACTIONS, since=since, before=before, limit=_PAGE):
        yield from map(audit.record_of, rows)
        before = rows[-1].id


def _disclosures(connection: Connection, records: Sequence[AuditRecord], since: datetime) -> Iterator[Disclosure]:
    """One for each delivery, and one for each read that was granted, oldest first."""
    endpoints = {one.name: one for one in parties.endpoints(connection)}
    countries = {party.id: party.country for party in parties.parties(connection)}
    instruments = {one.id: str(one.instrument or one.id) for one in transfers.listed(connection)}
    in_groups = sorted(records, key=lambda one: (_subject(one), one.id))
    of_reads = [one for one in records if one.told("read")]
    groups = [list(group) for _, group in groupby(in_groups, _subject)]
    found = [
        _disclosure([*group, *_recalled_since(group, of_reads)], endpoints, countries, instruments) for group in groups
    ]
    yield from sorted((one for one in found if one and one.granted_at >= since), key=lambda one: one.granted_at)


def _subject(record: AuditRecord) -> str:
    """Grants, receipt and recall notice of a delivery belong together; a read stands for itself."""
    if record.action == reads.GRANTED:
        return f"read/{record.id}"
    delivery = record.told("delivery")  # a recall notice names it beside its own subject
    return f"delivery/{delivery}" if delivery else record.subject


def _ground(grants: Sequence[AuditRecord]) -> tuple[str, ...]:
    """The consents, and the resources that told whom they mean."""
    return tuple(dict.fromkeys(one for told in ("consents", "named") for grant in grants for one in grant.listed(told)))


def _recalled_since(group: Sequence[AuditRecord], of_reads: Sequence[AuditRecord]) -> list[AuditRecord]:
    """What became of a read afterwards: a notice of it is one of all the earlier reads of the same."""
    first = group[0]
    if first.action != reads.GRANTED:
        return []
    same = (first.case_id, first.subject, first.told("party"))
    return [one for one in of_reads if one.id > first.id and (one.case_id, one.told("read"), one.told("party")) == same]


def _disclosure(
    records: Sequence[AuditRecord],
    endpoints: dict[str, Endpoint],
    countries: dict[str, str],
    instruments: dict[str, str],
) -> Disclosure | None:
    """None for what was never granted."""
    grants = [one for one in records if one.action in (GRANTED, reads.GRANTED)]
    if not grants:
        return None
    first = grants[0]
    endpoint = endpoints.get(first.told("endpoint"))
    arrived = next((one for one in records if one.action == ACKNOWLEDGED), None)
    recalled = next((one for one in reversed(records) if one.action in (RECALLED, recalls.WITHDRAWN)), None)
    said = [status_in_words(arrived.told("status")), arrived.told("reference")] if arrived else []
    used = dict.fromkeys(one.told("transfer") for one in grants)
    return Disclosure(
        granted_at=first.at,
        grants=len(grants),
        recipient=first.told("to"),
        endpoint=first.told("endpoint"),
        address=first.told("address") or (endpoint.where if endpoint else ""),
        country=countries.get(endpoint.party_id if endpoint else first.told("party"), ""),
        what=f"{_KINDS.get(first.told('kind'), first.told('kind') or 'what was asked for')} ({first.subject})",
        purposes=first.listed("purposes"),
        consents=_ground(grants),
        decision=first.told("decision"),
        case_id=first.case_id,
        acknowledged_at=arrived.at if arrived else None,
        acknowledgement=" ".join(part for part in said if part),
        recalled_at=recalled.at if recalled and recalled.action == RECALLED else None,
        evidence=tuple(one.id for one in records),
        transfer="; ".join(instruments.get(one, one) for one in used if one),
    )
