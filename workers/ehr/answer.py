"""An EHR's answer, read as hostile input, and its translation into the gateway's errors.

Of an OperationOutcome only the issue codes are taken: diagnostics and details may repeat patient data.
https://hl7.org/fhir/R4/http.html#Status-Codes , https://hl7.org/fhir/R4/operationoutcome.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.domain.errors import Ambiguous, Permanent, Transient, Unanswered, Unavailable

Resource = dict[str, Any]
"""One FHIR resource as parsed JSON."""

MAX_RETRY_AFTER_S = 86_400.0
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})
_UNAVAILABLE = frozenset({429, 502, 503, 504})
"""The EHR as a whole cannot at present (RFC 9110 15.6, RFC 6585 4); a 500 may be about this one request."""
PERHAPS_DONE = frozenset(range(500, 600)) - {503}
"""A write may have been carried out all the same; by 503 (RFC 9110 15.6.4) it was not taken on."""
_SHOWN_ISSUES = 8

# https://hl7.org/fhir/R4/valueset-issue-type.html
_ISSUE_TYPES = frozenset(
    {"invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden"}
    | {"suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long"}
    | {"code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store"}
    | {"exception", "timeout", "incomplete", "throttled", "informational"}
)

_REMEDIES = {
    400: "The EHR finds the content invalid",
    401: "The EHR does not accept our credentials; check the token or client of this endpoint",
    403: "The EHR knows us and does not allow this; its administrator has to grant it",
    404: "The EHR does not know this address; check the base URL and what it offers",
    405: "The EHR does not offer this interaction",
    409: "The EHR sees a conflict with what it holds",
    410: "The EHR says that this was deleted",
    412: "The EHR finds a precondition not met",
    413: "The report is larger than the EHR takes",
    415: "The EHR does not take FHIR JSON",
    422: "The EHR refuses the content by a rule of its own",
}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer with its whole body (already capped). Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Any 2xx."""
        return 200 <= self.status < 300

    def resource(self) -> Resource | None:
        """The FHIR resource in the body, or None where the body is anything else."""
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(parsed, dict) or not isinstance(parsed.get("resourceType"), str):
            return None
        return parsed

    def expect(self, resource_type: str) -> Resource:
        """The body as a resource of this type. Raises: Permanent where it is something else."""
        found = self.resource()
        if found is None:
            raise Permanent(
                f"There is not a FHIR server at that URL: HTTP {self.status} without FHIR JSON. Check the base URL."
            )
        if found["resourceType"] != resource_type:
            raise Permanent(f"The EHR answered HTTP {self.status} with another resource than a {resource_type}.")
        return found


def refuse(answer: Answer, now: datetime) -> Transient | Permanent:
    """The error that an answer other than 2xx stands for; 5xx, 408, 425 and 429 are worth another try."""
    codes = issue_codes(answer.resource())
    told = f" ({', '.join(codes)})" if codes else ""
    if answer.status >= 500 or answer.status in _WORTH_ANOTHER_TRY:
        wait_s = retry_after_s(answer.headers.get("retry-after", ""), now)
        kind = Unavailable if answer.status in _UNAVAILABLE else Transient
        return kind(f"The EHR answered HTTP {answer.status}{told}.", retry_after_s=wait_s)
    if 300 <= answer.status < 400:
        return Permanent(
            f"The EHR redirects (HTTP {answer.status}), which is not followed; register its final base URL."
        )
    if answer.resource() is None and "html" in answer.headers.get("content-type", "").lower():
        return Permanent(
            f"There is not a FHIR server at that URL: HTTP {answer.status} with an HTML page. Check the base URL."
        )
    sentence = _REMEDIES.get(answer.status, "The EHR refuses the request")
    return Permanent(f"{sentence}: HTTP {answer.status}{told}.")


def unclear(answer: Answer, now: datetime) -> Ambiguous:
    """What one of `PERHAPS_DONE` means for a write."""
    kind = Unanswered if answer.status in _UNAVAILABLE else Ambiguous  # a proxy speaks, and the EHR did not
    wait_s = retry_after_s(answer.headers.get("retry-after", ""), now)
    sentence = f"The EHR answered HTTP {answer.status}; the report may have been stored all the same."
    return kind(sentence, retry_after_s=wait_s)


def issue_codes(outcome: Resource | None) -> tuple[str, ...]:
    """The known issue codes of an OperationOutcome, in its order, each once; free text is never taken."""
    if outcome is None or outcome.get("resourceType") != "OperationOutcome":
        return ()
    issues = outcome.get("issue")
    found = [issue.get("code") for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    known = dict.fromkeys(code for code in found if isinstance(code, str) and code in _ISSUE_TYPES)
    return tuple(known)[:_SHOWN_ISSUES]


def retry_after_s(value: str, now: datetime) -> float | None:
    """Seconds from a Retry-After header, given in seconds or as an HTTP date (RFC 9110 10.2.3); at most a day."""
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)
