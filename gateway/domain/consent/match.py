"""Does one element of a provision cover the request? Three answers; the third makes a permit miss and a deny hit."""

from collections.abc import Iterable
from datetime import date, timedelta, tzinfo

from gateway.domain.consent.answer import NO, UNKNOWN, YES, Match
from gateway.domain.consent.labels import label_match
from gateway.domain.consent.model import PERMIT, Coding, Effect, PartyReference, Provision
from gateway.domain.consent.period import Period, midnight
from gateway.domain.consent.request import DisclosureRequest, Item, Recipient, local_type
from gateway.domain.consent.vocabulary import ACT_REASON, CONSENT_ACTION, CONSENT_ACTIONS, FLOW_PURPOSES, PURPOSES
from gateway.domain.party import Identifier, Numbers, numbers_of


def recipient_match(named: tuple[PartyReference, ...], recipient: Recipient) -> Match:
    """Whether a provision's recipients (at least one) include this one."""
    return max([party_match(one, recipient) for one in named])


def party_match(named: PartyReference, recipient: Recipient) -> Match:
    """Whether this one is the recipient."""
    identifier = _identifier_match(named.identifier, recipient.numbers)
    return _agreed(identifier, _literal_match(named, recipient)) if named.reference else identifier


def may_name(provision: Provision, effect: Effect | None, recipient: Recipient) -> bool:
    """False where the provision and those inside of it plainly speak of others; `effect` is what it says itself."""
    if provision.recipients:
        return recipient_match(provision.recipients, recipient) is not NO
    if effect is PERMIT or not provision.provisions:
        return True
    return any(may_name(one, one.type, recipient) for one in provision.provisions)


def patient_match(named: PartyReference, request: DisclosureRequest) -> Match:
    """Whether a consent is this patient's."""
    known, identifiers = request.patient_references, numbers_of(request.patient_identifiers)
    identifier = _identifier_match(named.identifier, identifiers)
    if not named.reference:
        return identifier
    is_other_record = local_type(named.reference) in set(filter(None, map(local_type, known)))
    return _agreed(identifier, YES if named.reference in known else NO if is_other_record else UNKNOWN)


def purpose_match(purposes: Iterable[Coding], request: DisclosureRequest) -> Match:
    """Whether a provision's purposes (at least one) include one that opens this flow."""
    accepted = FLOW_PURPOSES[request.flow]
    return max([_code_match(one, ACT_REASON, accepted, PURPOSES) for one in purposes])


def action_match(actions: Iterable[Coding], request: DisclosureRequest) -> Match:
    """Whether a provision's actions (at least one) include one that the request would perform."""
    return max([_code_match(one, CONSENT_ACTION, request.actions, CONSENT_ACTIONS) for one in actions])


def item_match(provision: Provision, effect: Effect | None, item: Item, zone: tzinfo) -> Match:
    """Whether the elements that speak of the data (class, code, data, dataPeriod, securityLabel) cover the item.

    `effect` is what the provision says.
    """
    found = YES
    if provision.classes:
        found = YES if item.resource_class in provision.classes else NO
    if provision.codes and found:
        found = min(found, max(_concept_match(one, item) for one in provision.codes))
    if provision.data and found:
        found = min(found, YES if provision.data & item.all_references else NO)
    if provision.data_period and found:
        found = min(found, _date_match(provision.data_period, item, zone))
    if provision.labels and found:
        found = min(found, label_match(provision.labels, item.labels, effect))
    return found


def _code_match(coding: Coding, system: str, accepted: frozenset[str], known: frozenset[str]) -> Match:
    if coding.system != system:
        return UNKNOWN
    if coding.code in accepted:
        return YES
    return NO if coding.code in known else UNKNOWN


def _concept_match(concept: frozenset[Coding], item: Item) -> Match:
    """R4: found in an instance, a code applies to it. That it is not found tells only what the item says it is."""
    if concept & (item.codes | item.mentions):
        return YES
    is_comparable = {one.system for one in concept} & {one.system for one in item.codes}
    return NO if is_comparable else UNKNOWN


def _date_match(period: Period, item: Item, zone: tzinfo) -> Match:
    if item.date is None or item.date == date.max:
        return UNKNOWN
    begin, end = period.window(zone)
    day_begin, day_end = midnight(item.date, zone), midnight(item.date + timedelta(days=1), zone)
    if begin <= day_begin and day_end <= end:
        return YES
    return NO if day_end <= begin or end <= day_begin else UNKNOWN


def _literal_match(named: PartyReference, recipient: Recipient) -> Match:
    """Whether the reference is the recipient's: by what it leads to, where that is known."""
    kind = local_type(named.reference)
    if named.resource is not None:
        return recipient.is_named_by(kind, named.resource)
    if named.reference in recipient.all_references:
        return YES
    return NO if kind and recipient.is_another(kind) else UNKNOWN


def _agreed(identifier: Match, literal: Match) -> Match:
    """A reference and an identifier name one party: if one says yes and the other no, nobody knows who is meant."""
    if identifier is UNKNOWN:
        return literal
    return identifier if literal in (UNKNOWN, identifier) else UNKNOWN


def _identifier_match(named: Identifier | None, known: Numbers) -> Match:
    """Another value in a system that the party has is somebody else; a system it lacks cannot be compared."""
    values = known.get(named.system) if named else None
    if named is None or values is None:
        return UNKNOWN
    return YES if named.value in values else NO
