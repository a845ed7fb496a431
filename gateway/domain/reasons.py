"""Why a person did something, in their own words: the one free text of the audit trail."""

from gateway.domain.errors import Invalid

LONGEST = 200


def check_reason(text: str) -> str:
    """One line of at most 200 characters; it is kept and exported as typed. Raises Invalid for anything else."""
    if not text.strip() or len(text) > LONGEST or not text.isprintable():
        raise Invalid(f"a reason is one line of 1 to {LONGEST} characters, without control characters", at="reason")
    return text
