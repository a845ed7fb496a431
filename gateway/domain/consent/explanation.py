"""A decision told to a person: what was asked, the answer, and of each provision what it says and became of it.

Nothing is decided here; the words stand on the consents, the request and the steps of the decision.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.consent.decision import Decision, Outcome
from gateway.domain.consent.evaluate import Step
from gateway.domain.consent.model import (
    DENY,
    PERMIT,
    Coding,
    Consent,
    ConsentVersion,
    Effect,
    PartyReference,
    Provision,
)
from gateway.domain.consent.period import DISTANT_PAST, FAR_FUTURE, Period
from gateway.domain.consent.request import DisclosureRequest, Item, Recipient
from gateway.domain.consent.vocabulary import ACT_CODE, ACT_REASON, CONFIDENTIALITY, CONSENT_ACTION, FLOW_PURPOSES

_ITEMS_SHOWN = 3
_FAMILIAR = frozenset({ACT_CODE, ACT_REASON, CONFIDENTIALITY, CONSENT_ACTION})
"""Code systems whose codes are shown alone."""
_ANSWERS = {
    Outcome.PERMIT: "Yes",
    Outcome.DENY: "No",
    Outcome.INDETERMINATE: "It could not be decided; nothing is sent",
}
_VERBS = {PERMIT: "It permits", DENY: "It denies", None: "What is inside of it is limited"}


@dataclass(frozen=True)
class Passage:
    """One provision of one consent: what it says, and whether and on what it took effect."""

    consent: ConsentVersion
    path: str
    says: str
    finding: str


@dataclass(frozen=True)
class Explanation:
    """One decision. Sentences in the order in which a person reads them; times in them are in the custodian's zone.

    `about` is what would leave, as `Type/id`; `valid_until` is when time alone could change it (None: never);
    `consents` are the versions it rests on; `passages` go through all of them, provision by provision.
    """

    about: str
    outcome: Outcome
    question: str
    answer: str
    reasons: tuple[str, ...]
    valid_until: datetime | None
    consents: tuple[ConsentVersion, ...]
    passages: tuple[Passage, ...]


def explain(consents: Iterable[Consent], request: DisclosureRequest, decision: Decision) -> Explanation:
    """The way to a decision in words. `consents` and `request` are those that it was decided on."""
    by_key = {one.key: one for one in consents}
    passages = tuple(_passage(step, by_key[step.consent], request) for step in decision.steps)
    return Explanation(
        about=names_of(request.items),
        outcome=decision.outcome,
        question=_question(request),
        answer=_answer(decision, request),
        reasons=decision.reasons,
        valid_until=decision.valid_until,
        consents=decision.consents,
        passages=passages,
    )


def names_of(items: Iterable[Item]) -> str:
    """As a person and a consent know them."""
    return ", ".join(f"{one.resource_class}/{one.id}" for one in items)


def short_answer(outcome: Outcome) -> str:
    """An outcome in words."""
    return f"{_ANSWERS[outcome]}."


def _question(request: DisclosureRequest) -> str:
    purposes = " or ".join(sorted(FLOW_PURPOSES[request.flow]))
    here, there = request.custodian_country, request.recipient.country
    return (
        f"May {_items(request.items, request)} leave from {here or 'an unknown country'} to "
        f"{_names_of(request.recipient)} in {there or 'an unknown country'}, for {purposes} ({request.flow}), "
        f"at {request.now.astimezone(request.zone).isoformat()}?"
    )


def _answer(decision: Decision, request: DisclosureRequest) -> str:
    if decision.valid_until is None:
        return short_answer(decision.outcome)
    return f"{_ANSWERS[decision.outcome]}, until {decision.valid_until.astimezone(request.zone).isoformat()}."


def _passage(step: Step, consent: Consent, request: DisclosureRequest) -> Passage:
    provision = _at(consent, step.path)
    says = "" if provision is None else _said(provision, step.effect, request)
    if step.items:
        return Passage(step.consent, step.path, says, f"It applies to {_items(step.items, request)}: {step.why}.")
    finding = "It does not count" if provision is None and step.effect is None else "It does not apply"
    return Passage(step.consent, step.path, says, f"{finding}: {step.why}.")


def _at(consent: Consent, path: str) -> Provision | None:
    """The provision at a path such as `Consent.provision.provision[1]`."""
    found = consent.provision
    if not path.startswith("Consent.provision") or found is None:
        return None
    for index in path.split(".provision[")[1:]:
        found = found.provisions[int(index.rstrip("]"))]
    return found


def _said(provision: Provision, effect: Effect | None, request: DisclosureRequest) -> str:
    return f"{_VERBS[effect]}: {'; '.join(_elements(provision, effect, request)) or 'everything'}."


def _elements(provision: Provision, effect: Effect | None, request: DisclosureRequest) -> Iterator[str]:
    if provision.recipients:
        yield f"to {_either(map(_party, provision.recipients))}"
    if provision.purposes:
        yield f"for {_codes(provision.purposes)}"
    if provision.actions:
        yield f"the action {_codes(provision.actions)}"
    if provision.classes:
        yield f"of class {_either(sorted(provision.classes))}"
    if provision.codes:
        yield f"coded {_either(_codes(one) for one in provision.codes)}"
    if provision.data:
        yield f"the resource {_either(sorted(provision.data))}"
    if provision.labels:
        yield f"labelled {_either(sorted(_label(one, effect) for one in provision.labels))}"
    if provision.data_period:
        yield f"dated {_span(provision.data_period, request)}"
    if provision.period:
        yield f"in force {_span(provision.period, request)}"


def _span(period: Period, request: DisclosureRequest) -> str:
    begin, end = period.window(request.zone)
    if begin >= end:
        return "at no time"
    parts = (
        "" if begin == DISTANT_PAST else f"from {begin.astimezone(request.zone).isoformat()}",
        "" if end == FAR_FUTURE else f"until before {end.astimezone(request.zone).isoformat()}",
    )
    return " ".join(filter(None, parts)) or "at any time"


def _label(label: Coding, effect: Effect | None) -> str:
    if label.system != CONFIDENTIALITY:
        return _code(label)
    return f"{label.code} or {'higher' if effect is DENY else 'lower'}"


def _items(items: Sequence[Item], request: DisclosureRequest) -> str:
    shown = names_of(items[:_ITEMS_SHOWN])
    more = ", ..." if len(items) > _ITEMS_SHOWN else ""
    return f"{len(items)} of {len(request.items)} items ({shown}{more})"


def _names_of(recipient: Recipient) -> str:
    numbers = (f"{one.system}|{one.value}" for one in recipient.all_identifiers)
    return ", ".join(sorted((*recipient.all_references, *numbers))) or "nobody who is known"


def _party(named: PartyReference) -> str:
    number = f"{named.identifier.system}|{named.identifier.value}" if named.identifier else ""
    return " with ".join(filter(None, (named.reference, number))) or "somebody who is named in words only"


def _codes(codings: Iterable[Coding]) -> str:
    return _either(sorted(map(_code, codings)))


def _code(coding: Coding) -> str:
    return coding.code if coding.system in _FAMILIAR else f"{coding.system}|{coding.code}"


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
