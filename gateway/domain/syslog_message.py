"""One audit row as a syslog message (RFC 5424).

| part | what |
| --- | --- |
| PRI | facility 10 (security), severity 5 (notice), 4 (warning) where the outcome is not success |
| TIMESTAMP | when the row was committed, UTC |
| APP-NAME, MSGID | consilium, AuditEvent |
| STRUCTURED-DATA | [chain@32473 row="audit id" position="..." sha256="..."]: the seal, so each message is an anchor |
| MSG | the FHIR AuditEvent as JSON in ASCII |

32473 is the enterprise number of examples (RFC 5612). DICOM PS3.15 A.6 and IHE ATNA send XML under another MSGID; what
takes that in has to be told of ours.
"""

import re
from datetime import UTC, datetime

_FACILITY = 10
_NOTICE, _WARNING = 5, 4
_UNPRINTABLE = re.compile(r"[^!-~]")
_LONGEST_HOST = 255


def syslog_message(
    body: bytes, *, at: datetime, is_success: bool, host: str, audit_id: int, position: int, sha256: str
) -> bytes:
    """The message without its frame; `body` is ASCII."""
    priority = _FACILITY * 8 + (_NOTICE if is_success else _WARNING)
    moment = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    name = _UNPRINTABLE.sub("", host)[:_LONGEST_HOST] or "-"
    seal = f'[chain@32473 row="{audit_id}" position="{position}" sha256="{sha256}"]'
    return f"<{priority}>1 {moment} {name} consilium - AuditEvent {seal} ".encode("ascii") + body


def framed(message: bytes) -> bytes:
    """With its length in front (RFC 5425 4.3)."""
    return b"%d %s" % (len(message), message)
