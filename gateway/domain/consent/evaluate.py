"""What one consent says of each kind of item: its provisions flattened, each with how far it reaches."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.domain.consent.answer import NO, UNKNOWN, YES, Match
from gateway.domain.consent.model import DENY, PERMIT, Consent, ConsentVersion, Effect, Provision
from gateway.domain.consent.period import DISTANT_PAST, FAR_FUTURE
from gateway.domain.consent.question import Question, Reach
from gateway.domain.consent.request import Item
from gateway.domain.consent.standing import Standing


@dataclass(frozen=True)
class Step:
    """One look at one provision, for a person to follow.

    `path` is a FHIRPath, `depth` how deep it is nested. `items` are those on which it took effect; none: it did not.
    """

    consent: ConsentVersion
    path: str
    effect: Effect | None
    items: tuple[Item, ...]
    why: str
    depth: int = 0

    @property
    def matched(self) -> bool:
        """Whether it took effect on an item."""
        return bool(self.items)


class Rule(NamedTuple):
    """A provision that took effect on a kind of item."""

    path: str
    effect: Effect


@dataclass(frozen=True)
class Ruling:
    """What one consent says: a winning rule per group of items or None, and when it may change."""

    consent: Consent
    rules: tuple[Rule | None, ...]
    changes_at: datetime


class _Scope(NamedTuple):
    """A provision with everything its ancestors demand: it counts only where all of them match.

    `blamed` is the path and the element to which `match` is owed.
    """

    provision: Provision
    effect: Effect | None
    path: str
    depth: int
    match: Match
    blamed: tuple[str, str]
    reach: Reach
    begin: datetime
    end: datetime
    names_recipient: bool
    names_purpose: bool


def rule_of(standing: Standing, question: Question) -> Ruling:
    """What a consent that counts says of each group of items."""
    winners: list[Rule | None] = [None] * len(question.groups)
    ranks = [-1] * len(winners)
    changes_at, now = FAR_FUTURE, question.now
    for scope in _scopes(standing.consent, question, is_whole=False):
        effect, begin, end = scope.effect, scope.begin, scope.end
        if effect is None or begin >= end or now >= end or _why_never(scope, standing):
            continue
        changes_at = min(changes_at, begin if now < begin else end)
        if begin <= now:
            rule, rank = Rule(scope.path, effect), _rank(scope.depth, effect)
            for at in scope.reach.hits(effect):
                if rank > ranks[at]:
                    ranks[at], winners[at] = rank, rule
    return Ruling(standing.consent, tuple(winners), changes_at)


def _rank(depth: int, effect: Effect) -> int:
    """The highest wins: the deepest, at equal depth the denial."""
    return 2 * depth + (effect is DENY)


def steps_of(standing: Standing, question: Question) -> tuple[Step, ...]:
    """The way to it: a look at each provision of a consent that counts."""
    return tuple(_step(one, standing, question) for one in _scopes(standing.consent, question, is_whole=True))


def _step(scope: _Scope, standing: Standing, question: Question) -> Step:
    why_not = _why_never(scope, standing) or _why_not_now(scope, question)
    items = () if why_not else question.items_of(scope.reach.hits(scope.effect))
    return Step(standing.consent.key, scope.path, scope.effect, items, why_not or _why(scope), scope.depth)


def _least(effect: Effect | None) -> Match:
    """What cannot be resolved makes a permit miss and a deny hit."""
    return UNKNOWN if effect is DENY else YES


def _why_never(scope: _Scope, standing: Standing) -> str:
    """Why it does not take effect on these items for this recipient, whatever the time; empty if it can."""
    effect = scope.effect
    if effect is None:
        return "it says neither permit nor deny"
    if effect is DENY and scope.depth == 0 and standing.consent.policy.flows:
        return "a denial at the root of a form for one flow is only no permit"
    if effect is PERMIT and standing.why_no_permit:
        return f"it cannot permit: {standing.why_no_permit}"
    if scope.match < _least(effect):
        return _why_other(scope)
    if effect is PERMIT and not (scope.names_recipient and scope.names_purpose):
        return "a permit has to name recipient and purpose"
    return _why_no_item(scope, effect)


def _why_other(scope: _Scope) -> str:
    path, element = scope.blamed
    if scope.match is NO:
        return f"{path} names another {element}"
    return f"whether {path} names this {element} cannot be resolved"


def _why_no_item(scope: _Scope, effect: Effect) -> str:
    if scope.reach.hits(effect):
        return ""
    is_unknown = UNKNOWN in scope.reach.answers
    return "whether it covers an item cannot be resolved" if is_unknown else "it covers none of the items"


def _why_not_now(scope: _Scope, question: Question) -> str:
    now, zone = question.now, question.request.zone
    if scope.begin >= scope.end:
        return "its period, within those around it, is never in force"
    if now < scope.begin:
        return f"its period begins at {scope.begin.astimezone(zone).isoformat()}"
    return "" if now < scope.end else f"its period ended at {scope.end.astimezone(zone).isoformat()}"


def _why(scope: _Scope) -> str:
    if scope.effect is DENY and UNKNOWN in (scope.match, *scope.reach.answers):
        doubt = "code, date or label of an item is not known" if scope.match is YES else _why_other(scope)
        return f"it may match and counts as a denial: {doubt}"
    return "every element matches" if set(scope.reach.answers) == {YES} else "it covers some of the items"


def _scopes(consent: Consent, question: Question, *, is_whole: bool) -> Iterator[_Scope]:
    """The provisions, each before those inside of it; those that cannot match only where the whole is asked for."""
    root = consent.provision or Provision()
    path = "Consent.provision" if consent.provision else "Consent.policyRule"
    nowhere, everything = ("", ""), question.everything
    above = _Scope(root, None, "", -1, YES, nowhere, everything, DISTANT_PAST, FAR_FUTURE, False, False)
    top = _within(above, root, consent.root_effect, path, question.own_match(root), question)
    if not is_whole and (top.match is NO or question.is_other_data(root)):
        return
    pending = [top]
    while pending:
        scope = pending.pop()
        yield scope
        if scope.provision.provisions:
            pending += reversed(_inside(scope, question, is_whole=is_whole))


def _inside(above: _Scope, question: Question, *, is_whole: bool) -> list[_Scope]:
    """The provisions that one holds, in order."""
    found = []
    for at, one in enumerate(above.provision.provisions):
        if not is_whole and question.is_other_data(one):
            continue
        owed = own, _ = question.own_match(one)
        if is_whole or own is not NO:
            found.append(_within(above, one, one.type, f"{above.path}.provision[{at}]", owed, question))
    return found


def _within(
    above: _Scope,
    provision: Provision,
    effect: Effect | None,
    path: str,
    owed: tuple[Match, str],
    question: Question,
) -> _Scope:
    match, blamed = above.match, above.blamed
    own, element = owed
    if match is not NO and own <= match and element:
        match, blamed = own, (path, element)
    begin, end = above.begin, above.end
    if provision.period:
        own_begin, own_end = provision.period.window(question.request.zone)
        begin, end = max(begin, own_begin), min(end, own_end)
    return _Scope(
        provision,
        effect,
        path,
        above.depth + 1,
        match,
        blamed,
        _both(above.reach, question.reach(provision, effect), question.everything),
        begin,
        end,
        above.names_recipient or bool(provision.recipients),
        above.names_purpose or bool(provision.purposes),
    )


def _both(above: Reach, own: Reach, everything: Reach) -> Reach:
    if own is everything:
        return above
    return own if above is everything else own.within(above)
