"""An accounting of disclosures as CSV (RFC 4180) that a spreadsheet opens and does not execute."""

import csv
import io
from datetime import UTC, datetime

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
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""


def as_csv(accounting: Accounting) -> str:
    """A line of headings and a line for each disclosure; times in UTC."""
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    writer.writerows([_harmless(value) for value in _values(one)] for one in accounting.disclosures)
    return written.getvalue()


def _values(of: Disclosure) -> tuple[str, ...]:
    return (
        _moment(of.granted_at),
        of.recipient,
        of.endpoint,
        of.address,
        of.country,
        of.what,
        " or ".join(of.purposes),
        " ".join(of.consents),
        of.decision,
        of.case_id,
        str(of.grants),
        _moment(of.acknowledged_at),
        of.acknowledgement,
        "yes" if of.is_recalled else "no",
        " ".join(map(str, of.evidence)),
    )


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _harmless(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
