"""What is asked of every provision. There may be thousands; answers that are the same for many of them are kept."""

from gateway.domain.consent.answer import Match
from gateway.domain.consent.match import action_match, has_item_elements, item_match, purpose_match, recipient_match
from gateway.domain.consent.model import Effect, Provision
from gateway.domain.consent.period import Instants, Period
from gateway.domain.consent.request import DisclosureRequest, Item


class Question:
    """A request, its items in groups between which no provision can tell: the first of a group stands for all of it."""

    def __init__(self, request: DisclosureRequest, groups: tuple[tuple[Item, ...], ...]) -> None:
        self.request = request
        self.groups = groups
        self.everything = (Match.YES,) * len(groups)
        self._classes = frozenset(group[0].resource_class for group in groups)
        self._references = frozenset().union(*(group[0].all_references for group in groups))
        self._reaches: dict[object, tuple[Match, ...]] = {}
        self._windows: dict[object, Instants] = {}

    def own_match(self, provision: Provision) -> tuple[Match, str]:
        """How what does not depend on time or item matches, and to which element that is owed; `` where all match."""
        worst, element = Match.YES, ""
        if provision.recipients:
            match = recipient_match(provision.recipients, self.request.recipient)
            worst, element = (worst, element) if match is Match.YES else (match, "recipient")
        if provision.purposes and worst:
            match = purpose_match(provision.purposes, self.request)
            worst, element = (match, "purpose") if match < worst else (worst, element)
        if provision.actions and worst:
            match = action_match(provision.actions, self.request)
            worst, element = (match, "action") if match < worst else (worst, element)
        return worst, element

    def is_other(self, provision: Provision, owed: tuple[Match, str]) -> bool:
        """Whether it, and with it all inside of it, plainly speaks of something else; `owed` is its `own_match`."""
        own, _ = owed
        if own is Match.NO or (provision.classes and provision.classes.isdisjoint(self._classes)):
            return True
        return bool(provision.data) and provision.data.isdisjoint(self._references)

    def reach(self, provision: Provision, effect: Effect | None) -> tuple[Match, ...]:
        """How what speaks of the data matches each group."""
        if not has_item_elements(provision):
            return self.everything
        data_period, of_data = provision.data_period, (provision.classes, provision.codes, provision.data)
        key = (effect, of_data, data_period and data_period.texts, provision.labels)
        found = self._reaches.get(key)
        if found is None:
            zone = self.request.zone
            found = self._reaches[key] = tuple(item_match(provision, effect, group[0], zone) for group in self.groups)
        return found

    def window(self, period: Period) -> Instants:
        """From the first instant included to the first one no longer included."""
        found = self._windows.get(period.texts)
        if found is None:
            found = self._windows[period.texts] = period.window(self.request.zone)
        return found

    def items_of(self, hits: list[int]) -> tuple[Item, ...]:
        """All items of the groups at these indexes."""
        if len(hits) == len(self.groups):
            return self.request.items
        return tuple(item for at in hits for item in self.groups[at])
