"""A reviewer reads the cases assigned to them, pseudonymously: what they may ask for, one by one or by search.

What may be meant is found in a snapshot; what is shown is put together anew where `review_grant` decides on it and
grants it. What is denied is as if it were not there; where one thing cannot be decided on nothing is answered.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.caller import Caller
from gateway.domain.consent import Outcome
from gateway.domain.errors import NotFound, Transient
from gateway.domain.party import PartyKind
from gateway.services.consents import Disclosure, Ground, decide_on, ground_of
from gateway.services.resource_rules import check_may_exist
from gateway.services.review_grant import FLOW, NOT_NOW, Reading, granted, require_shown
from gateway.services.review_view import TYPES, Viewed, viewed


@dataclass(frozen=True)
class DisclosedPage:
    """What was granted, in the order of its ids; `total` counts what is permitted beyond it, too."""

    disclosed: tuple[Viewed, ...]
    total: int
    next_after: str


def is_for(caller: Caller, resource_type: str) -> bool:
    """Whether this is asked for here: what a reviewer has not written, but may see of a case."""
    return caller.party.kind is PartyKind.REVIEWER and resource_type in TYPES


def read(reading: Reading, caller: Caller, resource_type: str, resource_id: str) -> Viewed:
    """That one. Raises NotFound, the same for what is not there, another's or denied; Transient where it is unknown."""
    check_may_exist(resource_type, resource_id)

    def view(connection: Connection, ids: Set[str]) -> list[Viewed]:
        return viewed(connection, reading.pseudonym_key, caller.party.id, resource_type, ids)

    with reading.database.read() as connection:
        asked = view(connection, {resource_id})
    disclosed = granted(reading, caller, asked, view) if asked else []
    if not disclosed:
        raise NotFound(f"no {resource_type}/{resource_id}")
    return disclosed[0]


def search(
    reading: Reading,
    caller: Caller,
    resource_type: str,
    is_match: Callable[[Viewed], bool],
    *,
    ids: Set[str] | None = None,
    count: int,
    after: str,
) -> DisclosedPage:
    """At most `count` of what matches, with an id greater than `after`. Raises Transient where one is not known.

    `ids` are those that may be meant; None: any.
    """

    def view(connection: Connection, of: Set[str] | None) -> list[Viewed]:
        found = viewed(connection, reading.pseudonym_key, caller.party.id, resource_type, of)
        return [one for one in found if is_match(one)]

    with reading.database.read() as connection:
        matching = view(connection, ids)
        permitted = set(_permitted(connection, caller, matching, reading.now()))
    asked = _page(matching, permitted, count=count, after=after)
    disclosed = granted(reading, caller, asked, view) if asked else []
    counted = (permitted - {one.id for one in asked}) | {one.id for one in disclosed}
    is_more = bool(asked) and any(one > asked[-1].id for one in permitted)
    return DisclosedPage(tuple(disclosed), len(counted), asked[-1].id if is_more else "")


def _page(matching: Sequence[Viewed], permitted: set[str], *, count: int, after: str) -> list[Viewed]:
    """As many as hold `count` permitted ones, with the denied ones between them: those are decided on as well."""
    page: list[Viewed] = []
    for one in matching:
        if sum(each.id in permitted for each in page) == count:
            break
        if one.id > after:
            page.append(one)
    return page


def _permitted(connection: Connection, caller: Caller, found: Sequence[Viewed], now: datetime) -> Iterator[str]:
    """The ids of those that would be permitted now, to count them: nothing is disclosed by it, and nothing recorded."""
    grounds: dict[str, Ground] = {}
    for one in found:
        if one.case.id not in grounds:
            require_shown(connection, one.case)
            grounds[one.case.id] = ground_of(connection, one.case)
        asked = Disclosure(FLOW, caller.party, (one.item,), one.sha256)
        decision = decide_on(connection, one.case, grounds[one.case.id], asked, now=now)
        if decision.outcome is Outcome.INDETERMINATE:
            raise Transient(NOT_NOW)
        if decision.outcome is Outcome.PERMIT:
            yield one.id
