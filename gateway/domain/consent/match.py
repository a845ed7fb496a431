"""Does one element of a provision cover the request? Three answers; the third makes a permit miss and a deny hit."""

from collections.abc import Iterable
from datetime import date, timedelta, tzinfo
from enum import IntEnum

from gateway.domain.consent.model import Coding, Effect, PartyReference, Provision
from gateway.domain.consent.period import Period, midnight
from gateway.domain.consent.request import DisclosureRequest, Item, Recipient, local_type
from gateway.domain.consent.vocabulary import ACT_REASON, CONSENT_ACTION, CONSENT_ACTIONS, FLOW_PURPOSES, PURPOSES
from gateway.domain.party import Identifier


class Match(IntEnum):
    """Ordered so that OR is `max` and AND is `min`."""

    NO = 0
    UNKNOWN = 1
    YES = 2


def recipient_match(named: tuple[PartyReference, ...], recipient: Recipient) -> Match:
    """Whether a provision's recipients (at least one) include this one."""
    references, identifiers = recipient.all_references, recipient.all_identifiers
    return max(_party_match(one, references, identifiers, recipient.local_types) for one in named)


def may_name(provision: Provision, effect: Effect | None, recipient: Recipient) -> bool:
    """False where the provision and those inside of it plainly speak of others; `effect` is what it says itself."""
    if provision.recipients:
        return recipient_match(provision.recipients, recipient) is not Match.NO
    if effect is Effect.PERMIT or not provision.provisions:
        return True
    return any(may_name(one, one.type, recipient) for one in provision.provisions)


def patient_match(named: PartyReference, request: DisclosureRequest) -> Match:
    """Whether a consent is this patient's."""
    known = request.patient_references
    kind = local_type(named.reference)
    is_another = bool(kind) and kind in map(local_type, known)
    literal = _literal_match(named.reference, known, is_another=is_another)
    return _both(literal, _identifier_match(named.identifier, request.patient_identifiers))


def purpose_match(purposes: Iterable[Coding], request: DisclosureRequest) -> Match:
    """Whether a provision's purposes (at least one) include one that opens this flow."""
    accepted = FLOW_PURPOSES[request.flow]
    return max(_code_match(one, ACT_REASON, accepted, PURPOSES) for one in purposes)


def action_match(actions: Iterable[Coding], request: DisclosureRequest) -> Match:
    """Whether a provision's actions (at least one) include one that the request would perform."""
    return max(_code_match(one, CONSENT_ACTION, request.actions, CONSENT_ACTIONS) for one in actions)


def item_match(provision: Provision, item: Item, zone: tzinfo) -> Match:
    """Whether the elements that speak of the data (class, code, dataPeriod, data) cover the item."""
    found = Match.YES
    if provision.classes:
        found = Match.YES if item.resource_class in provision.classes else Match.NO
    if provision.codes and found:
        found = min(found, max(_concept_match(one, item.codes) for one in provision.codes))
    if provision.data and found:
        found = min(found, Match.YES if provision.data & item.all_references else Match.NO)
    if provision.data_period and found:
        found = min(found, _date_match(provision.data_period, item, zone))
    return found


def has_item_elements(provision: Provision) -> bool:
    """Whether the answer depends on the item at all."""
    return bool(provision.classes or provision.codes or provision.data or provision.data_period)


def _code_match(coding: Coding, system: str, accepted: frozenset[str], known: frozenset[str]) -> Match:
    if coding.system != system:
        return Match.UNKNOWN
    if coding.code in accepted:
        return Match.YES
    return Match.NO if coding.code in known else Match.UNKNOWN


def _concept_match(concept: frozenset[Coding], codes: frozenset[Coding]) -> Match:
    if concept & codes:
        return Match.YES
    is_comparable = {one.system for one in concept} & {one.system for one in codes}
    return Match.NO if is_comparable else Match.UNKNOWN


def _date_match(period: Period, item: Item, zone: tzinfo) -> Match:
    if item.date is None or item.date == date.max:
        return Match.UNKNOWN
    begin, end = period.window(zone)
    day_begin, day_end = midnight(item.date, zone), midnight(item.date + timedelta(days=1), zone)
    if begin <= day_begin and day_end <= end:
        return Match.YES
    return Match.NO if day_end <= begin or end <= day_begin else Match.UNKNOWN


def _party_match(
    named: PartyReference, references: frozenset[str], identifiers: frozenset[Identifier], types: frozenset[str]
) -> Match:
    literal = _literal_match(named.reference, references, is_another=_is_another(local_type(named.reference), types))
    return _both(literal, _identifier_match(named.identifier, identifiers))


def _both(literal: Match | None, identifier: Match | None) -> Match:
    """A reference and an identifier name one party: if one says yes and the other no, nobody knows who is meant."""
    said = {one for one in (literal, identifier) if one is not None}
    if said >= {Match.YES, Match.NO} or not said:
        return Match.UNKNOWN
    if Match.YES in said:
        return Match.YES
    return Match.NO if Match.NO in said else Match.UNKNOWN


def _identifier_match(named: Identifier | None, known: frozenset[Identifier]) -> Match | None:
    """Another value in a system that the party has is somebody else; a system it lacks cannot be compared."""
    if named is None:
        return None
    if named in known:
        return Match.YES
    return Match.NO if any(one.system == named.system for one in known) else Match.UNKNOWN


def _literal_match(named: str, known: frozenset[str], *, is_another: bool) -> Match | None:
    if not named:
        return None
    if named in known:
        return Match.YES
    return Match.NO if is_another else Match.UNKNOWN


def _is_another(named: str, types: frozenset[str]) -> bool:
    """Whether a local reference of type `named`, not among the recipient's of `types`, is surely somebody else.

    Of groups the members are not known; of a Practitioner not the roles, of a role not the person, nor the
    Organization where none was given.
    """
    if not named or not types or named in ("Group", "CareTeam"):
        return False
    if named in types:
        return True
    is_same_person_possible = {named} | types >= {"Practitioner", "PractitionerRole"}
    return named != "Organization" and not is_same_person_possible
