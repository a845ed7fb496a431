"""What is asked of every provision. There may be thousands; answers that are the same for many of them are kept."""

from dataclasses import dataclass
from datetime import UTC
from functools import cached_property

from gateway.domain.consent.answer import YES, Match
from gateway.domain.consent.match import action_match, item_match, purpose_match, recipient_match
from gateway.domain.consent.model import DENY, Effect, Provision
from gateway.domain.consent.request import DisclosureRequest, Item


@dataclass(frozen=True)
class Reach:
    """How the elements of a provision that speak of the data match each group of items, in the order of the groups."""

    answers: tuple[Match, ...]

    @cached_property
    def surely(self) -> tuple[int, ...]:
        """Which groups it covers."""
        return tuple(at for at, match in enumerate(self.answers) if match is YES)

    @cached_property
    def possibly(self) -> tuple[int, ...]:
        """Which groups it may cover."""
        return tuple(at for at, match in enumerate(self.answers) if match)

    def hits(self, effect: Effect | None) -> tuple[int, ...]:
        """On which groups it takes effect: what cannot be resolved makes a permit miss and a deny hit."""
        return self.possibly if effect is DENY else self.surely

    def within(self, above: "Reach") -> "Reach":
        """Where both match."""
        return Reach(tuple(map(min, above.answers, self.answers)))


class Question:
    """A request at `now` (UTC), its items in groups between which no provision can tell: the first stands for all."""

    def __init__(self, request: DisclosureRequest, groups: tuple[tuple[Item, ...], ...]) -> None:
        self.request = request
        self.groups = groups
        self.now = request.now.astimezone(UTC)
        self.everything = Reach((YES,) * len(groups))
        self._classes = frozenset(group[0].resource_class for group in groups)
        self._references = frozenset().union(*(group[0].all_references for group in groups))
        self._reaches: dict[tuple[object, ...], Reach] = {}

    def own_match(self, provision: Provision) -> tuple[Match, str]:
        """How what does not depend on time or item matches, and to which element that is owed; `` where all match."""
        worst, element = YES, ""
        if provision.recipients:
            match = recipient_match(provision.recipients, self.request.recipient)
            worst, element = (worst, element) if match is YES else (match, "recipient")
        if provision.purposes and worst:
            match = purpose_match(provision.purposes, self.request)
            worst, element = (match, "purpose") if match < worst else (worst, element)
        if provision.actions and worst:
            match = action_match(provision.actions, self.request)
            worst, element = (match, "action") if match < worst else (worst, element)
        return worst, element

    def is_other_data(self, provision: Provision) -> bool:
        """Whether it, and with it all inside of it, plainly speaks of other data than these items."""
        if provision.classes and provision.classes.isdisjoint(self._classes):
            return True
        return bool(provision.data) and provision.data.isdisjoint(self._references)

    def reach(self, provision: Provision, effect: Effect | None) -> Reach:
        """How what speaks of the data matches each group."""
        period, labels = provision.data_period, provision.labels
        key: tuple[object, ...] = (provision.classes, provision.codes, provision.data, period and period.texts, labels)
        if not any(key):
            return self.everything
        if labels:
            key = (*key, effect)  # which matters to labels alone
        found = self._reaches.get(key)
        if found is None:
            zone = self.request.zone
            found = Reach(tuple(item_match(provision, effect, group[0], zone) for group in self.groups))
            self._reaches[key] = found
        return found

    def items_of(self, hits: tuple[int, ...]) -> tuple[Item, ...]:
        """All items of the groups at these indexes."""
        if len(hits) == len(self.groups):
            return self.request.items
        return tuple(item for at in hits for item in self.groups[at])
