"""What a seal is made of: sha256(the seal before || canonical JSON of the row), in a form that the seal names.

form | what the JSON is of
None | the row without its patient: what a version sealed that did not know of patients, also rows of a newer writer
2    | the row
3    | the row and the time of the seal
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from gateway.store.tables import audit

GENESIS = "0" * 64
WITH_TIME = 3
"""The form that is written now."""
FORMS = (None, 2, WITH_TIME)
DIGESTED = len(audit.columns)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
"""Made once: `json.dumps` with these options makes an encoder for each row."""


def digest(previous: str, row: Sequence[Any], form: int | None, sealed_at: Any) -> str:
    """Of a row that begins with the columns of `audit`: by place, since a name costs a look-up in each of a million."""
    audit_id, at, actor, action, outcome, case_id, subject, details, patient_id = row[:DIGESTED]
    content = [audit_id, at.astimezone(UTC).isoformat(), actor, action, outcome, case_id, subject, details]
    if form is not None:
        content.append(patient_id)
    if form == WITH_TIME:
        content.append(sealed_at.astimezone(UTC).isoformat())
    return hashlib.sha256((previous + _CANONICAL(content)).encode()).hexdigest()
