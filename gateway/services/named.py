"""What the clinic's own resources say of who they are, for the consents that name them.

A consent that names `Organization/12` means whom that was when this version of the consent was stored. So what it
carried then is read beside what it carries now, and both have to agree (`Recipient.is_named_by`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.consent import Consent, ConsentVersion, Decision, Look, NamedResource, Recipient
from gateway.domain.consent.answer import NO
from gateway.domain.consent.match import party_match
from gateway.domain.consent.naming import recipients_named, resources_named, with_resources
from gateway.domain.resource import StoredResource
from gateway.services.resource_rules import business_identifiers
from gateway.store import resources

NOWHERE = Look(0)


@dataclass(frozen=True, order=True)
class Read:
    """Which versions of a resource told whom a consent means by it."""

    consent: ConsentVersion
    reference: str
    then: int
    now: int

    @property
    def versions(self) -> tuple[str, ...]:
        """As `Organization/12/_history/3`, without those that there were not."""
        numbers = sorted({one for one in (self.then, self.now) if one})
        return tuple(f"{self.reference}/_history/{number}" for number in numbers)

    def __str__(self) -> str:
        named = f"{self.reference} that {self.consent} names was read in version"
        return f"{named} {self.then or 'none'}, of when that was stored, and {self.now or 'none'}, of now."


def look_of(stored: StoredResource) -> Look:
    """What this version says of who it is."""
    is_active = stored.content.get("active") is not False
    return Look(stored.version, frozenset(business_identifiers(stored.content)), is_active)


def with_named(
    connection: Connection, clinic_id: str, consents: Iterable[Consent], *, instead: Mapping[str, Look] | None = None
) -> tuple[Consent, ...]:
    """The consents with what the resources that they name carried and carry.

    Each resource is read once, and one that changed since once more for each moment at which a consent was stored.
    `instead` says by reference what one is to be taken for now.
    """
    named = [(one, resources_named(one)) for one in consents]
    wanted = frozenset[str]().union(*(references for _, references in named))
    if not wanted:
        return tuple(one for one, _ in named)
    newest = _newest(connection, clinic_id, wanted)
    earlier: dict[tuple[str, datetime], Look] = {}

    def known(reference: str, at: datetime | None) -> NamedResource:
        stored = newest.get(reference)
        now = NOWHERE if stored is None else look_of(stored)
        then = now
        if stored is not None and at is not None and stored.stored_at > at:
            if (reference, at) not in earlier:
                earlier[reference, at] = _look_at(connection, stored, at)
            then = earlier[reference, at]
        return NamedResource(then, (instead or {}).get(reference, now))

    return tuple(with_resources(one, {name: known(name, one.stored_at) for name in names}) for one, names in named)


def reads_of(decision: Decision, consents: Iterable[Consent], recipient: Recipient) -> tuple[Read, ...]:
    """Of the consents that a decision rests on, which of their resources told that the recipient may be meant."""
    used = set(decision.consents)
    return tuple(sorted(set(_reads([one for one in consents if one.key in used], recipient))))


def _reads(consents: Collection[Consent], recipient: Recipient) -> Iterator[Read]:
    for consent in consents:
        for named in recipients_named(consent):
            if named.resource is not None and party_match(named, recipient) is not NO:
                then, now = named.resource.then.version, named.resource.now.version
                yield Read(consent.key, named.reference, then, now)


def _newest(connection: Connection, clinic_id: str, references: Collection[str]) -> dict[str, StoredResource]:
    found = resources.of_party(connection, clinic_id, {one.partition("/")[2] for one in references})
    return {f"{one.type}/{one.id}": one for one in found}


def _look_at(connection: Connection, stored: StoredResource, at: datetime) -> Look:
    """As it was at that moment."""
    then = resources.version_at(connection, stored.party_id, stored.type, stored.id, at)
    return NOWHERE if then is None else look_of(then)
