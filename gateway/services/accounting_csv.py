"""An accounting of disclosures as CSV (RFC 4180) that a spreadsheet opens and does not execute."""

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.domain.accounting_words import purposes_in_words
from gateway.domain.audit_record import Accounting, Disclosure

_COLUMNS = (
    "date",
    "recipient",
    "endpoint",
    "address",
    "country",
    "what",
    "purpose",
    "consents",
    "decision",
    "case",
    "grants",
    "acknowledged",
    "acknowledgement",
    "recalled",
    "audit rows",
    "custodian",
    "transfer abroad stands on",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""


def as_csv(accounting: Accounting) -> str:
    """A line of headings and a line for each disclosure; times of the custodian's zone (ISO 8601)."""
    zone = ZoneInfo(accounting.time_zone)
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    writer.writerows([_harmless(value) for value in _values(accounting, one, zone)] for one in accounting.disclosures)
    return written.getvalue()


def _values(accounting: Accounting, of: Disclosure, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        _moment(of.granted_at, zone),
        of.recipient,
        of.endpoint,
        of.address,
        of.country,
        of.what,
        purposes_in_words(of.purposes),
        " ".join(of.consents),
        of.decision,
        of.case_id,
        str(of.grants),
        _moment(of.acknowledged_at, zone),
        of.acknowledgement,
        _moment(of.recalled_at, zone),
        " ".join(map(str, of.evidence)),
        accounting.custodian,
        of.transfer,
    )


def _moment(moment: datetime | None, zone: ZoneInfo) -> str:
    return "" if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")


def _harmless(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
