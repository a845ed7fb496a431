"""Do the security labels in a provision cover an item? https://hl7.org/fhir/R4/consent-definitions.html, securityLabel.

R4: Confidentiality is a high-water mark, a provision about R covers what is labelled R or lower. So a permit is read. A
denial read so would deny the harmless and leave the most confidential open; it covers what is labelled at its level or
above. Of other labels R4 says that subsumption applies: only codes of which neither can be a kind of the other
(`DISTINCT_SENSITIVITIES`) are known to differ. Several labels may mean all of them or any; where the two readings
differ, it cannot be resolved.
"""

from gateway.domain.consent.answer import NO, UNKNOWN, YES, Match
from gateway.domain.consent.model import DENY, Coding, Effect
from gateway.domain.consent.vocabulary import ACT_CODE, CONFIDENTIALITY, CONFIDENTIALITY_LEVELS, DISTINCT_SENSITIVITIES


def label_match(named: frozenset[Coding], labels: frozenset[Coding], effect: Effect | None) -> Match:
    """Whether the labels that a provision names (at least one) cover an item with these labels."""
    found = {_one_match(one, labels, effect) for one in named}
    return min(found) if len(found) == 1 else UNKNOWN


def _one_match(named: Coding, labels: frozenset[Coding], effect: Effect | None) -> Match:
    if named.system == CONFIDENTIALITY:
        return _level_match(named, labels, effect)
    if named in labels:
        return YES
    codes = {one.code for one in labels if one.system == ACT_CODE}
    is_comparable = named.system == ACT_CODE and codes and codes | {named.code} <= DISTINCT_SENSITIVITIES
    return NO if is_comparable else UNKNOWN


def _level_match(named: Coding, labels: frozenset[Coding], effect: Effect | None) -> Match:
    levels = [CONFIDENTIALITY_LEVELS.get(one.code) for one in labels if one.system == CONFIDENTIALITY]
    limit = CONFIDENTIALITY_LEVELS.get(named.code)
    known = [one for one in levels if one is not None]
    if limit is None or not known or len(known) < len(levels):
        return UNKNOWN
    is_covered = max(known) >= limit if effect is DENY else max(known) <= limit
    return YES if is_covered else NO
