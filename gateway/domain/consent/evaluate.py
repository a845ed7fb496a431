"""What one consent says of each kind of item: its provisions flattened, each with how far it reaches."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.consent.match import (
    Match,
    action_match,
    has_item_elements,
    item_match,
    purpose_match,
    recipient_match,
)
from gateway.domain.consent.model import Consent, ConsentVersion, Effect, Provision
from gateway.domain.consent.period import DISTANT_PAST, FAR_FUTURE
from gateway.domain.consent.request import DisclosureRequest, Item
from gateway.domain.consent.standing import Standing


@dataclass(frozen=True)
class Step:
    """One look at one provision, for a person to follow. `path` is a FHIRPath; `matched`: it took effect on an item."""

    consent: ConsentVersion
    path: str
    effect: Effect | None
    matched: bool
    why: str


@dataclass(frozen=True)
class Rule:
    """A provision that took effect on a kind of item. The deepest one wins, at equal depth the denial."""

    path: str
    depth: int
    effect: Effect

    @property
    def rank(self) -> tuple[int, bool]:
        """Orders rules by who wins."""
        return self.depth, self.effect is Effect.DENY


@dataclass(frozen=True)
class Ruling:
    """What one consent says: a winning rule per kind of item or None, the way to it, and when it may change."""

    consent: Consent
    rules: tuple[Rule | None, ...]
    steps: tuple[Step, ...]
    changes_at: datetime


@dataclass(frozen=True)
class _Scope:
    """A provision with everything its ancestors demand: it counts only where all of them match."""

    provision: Provision
    path: str
    depth: int
    match: Match
    why: str
    reach: tuple[Match, ...]
    begin: datetime
    end: datetime
    names_recipient: bool
    names_purpose: bool


def rule_of(standing: Standing, request: DisclosureRequest, kinds: tuple[Item, ...]) -> Ruling:
    """What a consent that counts says of each kind of item."""
    consent = standing.consent
    winners: list[Rule | None] = [None] * len(kinds)
    steps, changes_at = [], FAR_FUTURE
    for scope in _scopes(consent, request, kinds):
        effect = consent.root_effect if scope.depth == 0 else scope.provision.type
        why_not = _why_never(scope, effect, standing)
        if effect and not why_not:
            changes_at = min(changes_at, _next_change(scope, request.now))
            why_not = _why_not_now(scope, request)
            if not why_not:
                _crown(winners, Rule(scope.path, scope.depth, effect), scope.reach)
        steps.append(Step(consent.key, scope.path, effect, not why_not, why_not or _why(scope, effect)))
    return Ruling(consent, tuple(winners), tuple(steps), changes_at)


def _crown(winners: list[Rule | None], rule: Rule, reach: tuple[Match, ...]) -> None:
    for index, match in enumerate(reach):
        best = winners[index]
        if _is_hit(match, rule.effect) and (best is None or rule.rank > best.rank):
            winners[index] = rule


def _is_hit(match: Match, effect: Effect) -> bool:
    """What cannot be resolved makes a permit miss and a deny hit."""
    return match is Match.YES or (match is Match.UNKNOWN and effect is Effect.DENY)


def _why_never(scope: _Scope, effect: Effect | None, standing: Standing) -> str:
    """Why it does not take effect on these items for this recipient, whatever the time; empty if it can."""
    if effect is None:
        return "it says neither permit nor deny"
    if effect is Effect.DENY and scope.depth == 0 and standing.consent.policy.flows:
        return "a denial at the root of a form for one flow is only no permit"
    if effect is Effect.PERMIT and standing.why_no_permit:
        return f"it cannot permit: {standing.why_no_permit}"
    if not _is_hit(scope.match, effect):
        return scope.why
    if effect is Effect.PERMIT and not (scope.names_recipient and scope.names_purpose):
        return "a permit has to name recipient and purpose"
    return _why_no_item(scope, effect)


def _why_no_item(scope: _Scope, effect: Effect) -> str:
    if any(_is_hit(one, effect) for one in scope.reach):
        return ""
    is_unclear = Match.UNKNOWN in scope.reach
    return "whether it covers an item cannot be resolved" if is_unclear else "it covers none of the items"


def _why_not_now(scope: _Scope, request: DisclosureRequest) -> str:
    if scope.begin >= scope.end:
        return "its period, within those around it, is never in force"
    if request.now < scope.begin:
        return f"its period begins at {_clock(scope.begin, request)}"
    return "" if request.now < scope.end else f"its period ended at {_clock(scope.end, request)}"


def _why(scope: _Scope, effect: Effect | None) -> str:
    if effect is Effect.DENY and Match.UNKNOWN in (scope.match, *scope.reach):
        return f"it may match and counts as a denial: {scope.why or 'code or date of an item is not known'}"
    return "every element matches" if set(scope.reach) == {Match.YES} else "it covers some of the items"


def _clock(instant: datetime, request: DisclosureRequest) -> str:
    return instant.astimezone(request.zone).isoformat()


def _next_change(scope: _Scope, now: datetime) -> datetime:
    if scope.begin >= scope.end or now >= scope.end:
        return FAR_FUTURE
    return scope.begin if now < scope.begin else scope.end


def _scopes(consent: Consent, request: DisclosureRequest, kinds: tuple[Item, ...]) -> Iterator[_Scope]:
    root = consent.provision or Provision()
    path = "Consent.provision" if consent.provision else "Consent.policyRule"
    everything = (Match.YES,) * len(kinds)
    above = _Scope(root, path, -1, Match.YES, "", everything, DISTANT_PAST, FAR_FUTURE, False, False)
    pending = [_within(above, root, path, request, kinds)]
    while pending:
        scope = pending.pop()
        yield scope
        children = enumerate(scope.provision.provisions)
        nested = [_within(scope, one, f"{scope.path}.provision[{at}]", request, kinds) for at, one in children]
        pending.extend(reversed(nested))


def _within(
    above: _Scope, provision: Provision, path: str, request: DisclosureRequest, kinds: tuple[Item, ...]
) -> _Scope:
    match, why = above.match, above.why
    if match is not Match.NO:
        own, own_why = _own_match(provision, path, request)
        match, why = (own, own_why) if own <= match and own_why else (match, why)
    begin, end, reach = above.begin, above.end, above.reach
    if provision.period:
        own_begin, own_end = provision.period.window(request.zone)
        begin, end = max(begin, own_begin), min(end, own_end)
    if has_item_elements(provision):
        own_reach = (item_match(provision, one, request.zone) for one in kinds)
        reach = tuple(map(min, above.reach, own_reach))
    names_recipient = above.names_recipient or bool(provision.recipients)
    names_purpose = above.names_purpose or bool(provision.purposes)
    return _Scope(provision, path, above.depth + 1, match, why, reach, begin, end, names_recipient, names_purpose)


def _own_match(provision: Provision, path: str, request: DisclosureRequest) -> tuple[Match, str]:
    """How the elements that do not depend on time or item match; with a reason unless all do."""
    worst, why = Match.YES, ""
    for name, match in _matches(provision, request):
        if match is Match.NO:
            return match, f"{path} names another {name}"
        if match is Match.UNKNOWN:
            worst, why = match, f"whether {path} names this {name} cannot be resolved"
    return worst, why


def _matches(provision: Provision, request: DisclosureRequest) -> Iterator[tuple[str, Match]]:
    if provision.recipients:
        yield "recipient", recipient_match(provision.recipients, request.recipient)
    if provision.purposes:
        yield "purpose", purpose_match(provision.purposes, request)
    if provision.actions:
        yield "action", action_match(provision.actions, request)
