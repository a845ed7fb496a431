"""What has to be true of one case at rest, as rules over what was found of it; `findings` finds it, `invariants` asks.

Each raises AssertionError. None of them looks at a gateway, so a unit test can show each a world that is broken.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.delivery import DeliveryKind, DeliveryState, Flow
from gateway.domain.record import Delivery
from tests.acceptance.faults.schedule import Fault

REVOKED, GRANTED, RECALLED = "consent.revoked", "egress.granted", "recall.notice"

_LEAVES_ANY_OPEN = frozenset(
    {(kind, "worker") for kind in ("kill", "kill-at-hook", "disk-full", "no-space")}
    | {("restart-database", ""), ("server-wire", "database")}
)
"""What it is done to: it ends the sender, or keeps it from noting an answer. A full disk begins with a kill."""
_LEAVES_ITS_OWN_OPEN = frozenset({"cut", "stall", "slow"})
"""Done to the wire before the destination."""
_LOSES_ANSWER = frozenset({("ehr", "lost"), ("ehr", "silence"), ("pacs", "late")})
_DESTINATION = {
    DeliveryKind.STUDY_TO_REVIEWER: "reviewer",
    DeliveryKind.DOCUMENT_TO_REVIEWER: "reviewer",
    DeliveryKind.REPORT_TO_EHR: "ehr",
    DeliveryKind.REPORT_TO_PACS: "pacs",
}


@dataclass(frozen=True)
class Grant:
    """A committed permission to send one payload of one delivery; until `expires_at`, but for a revocation."""

    delivery_id: str
    kind: DeliveryKind
    payload_sha256: str
    granted_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Arrival:
    """A request as it reached a destination of that kind; `thing` and `payload_sha256` are empty where it only asked.

    `thing` is what there may be one of at the destination. The gateway's clock showed `came_at` then, and `left_after`
    so long before that no request is on its way for longer.
    """

    kind: DeliveryKind
    thing: str
    payload_sha256: str
    left_after: datetime
    came_at: datetime

    def is_covered_by(self, grant: Grant) -> bool:
        """Whether that grant allowed it, and stood at a moment at which the request may have left."""
        is_for_it = grant.kind is self.kind and self.payload_sha256 in ("", grant.payload_sha256)
        return is_for_it and grant.granted_at <= self.came_at and self.left_after < grant.expires_at


@dataclass(frozen=True)
class Event:
    """A row of the case's audit trail, in the order of the commits."""

    action: str
    delivery_id: str = ""
    flow: Flow | None = None


def may_be_open(faults: Iterable[Fault], kind: DeliveryKind) -> bool:
    """Whether any of the faults can leave it unknown what became of something sent to that kind's destination."""
    destination = _DESTINATION[kind]
    return any(
        (one.kind, one.what) in _LEAVES_ANY_OPEN
        or (one.what == destination and (one.kind in _LEAVES_ITS_OWN_OPEN or (one.what, one.how) in _LOSES_ANSWER))
        for one in faults
    )


def has_ended_or_says_why(one: Delivery, *, is_revoked: bool, may_be_open: bool) -> None:
    """Delivered; or held where its consent was taken back; or ambiguous where a fault left its outcome open."""
    allowed = {DeliveryState.DELIVERED}
    allowed |= {DeliveryState.HELD} if is_revoked else set()
    allowed |= {DeliveryState.AMBIGUOUS} if may_be_open else set()
    assert one.state in allowed, f"{one.kind} is {one.state}: {one.waits_for} {one.last_error}"
    if one.state is DeliveryState.DELIVERED:
        assert not one.is_ambiguous, f"{one.kind} is delivered and still ambiguous"
        return
    who, _, why = one.waits_for.partition(": ")
    assert who and why, f"{one.kind} is {one.state} and does not say for whom it waits, and why"
    if one.state is DeliveryState.AMBIGUOUS:
        assert one.is_ambiguous and one.last_error, f"{one.kind} is ambiguous and does not say after what"


def came_once(what: str, copies: int, *, is_acknowledged: bool, may_be_open: bool, repeats: int = 0) -> None:
    """One copy of what is acknowledged; of anything else none, or one where a fault left it open what became of it.

    `repeats`: so many more may be there, where each arrival is kept as a copy of its own.
    """
    if is_acknowledged:
        assert copies, f"{what} is acknowledged and not there"
    most = 1 + repeats if is_acknowledged or may_be_open else 0
    assert copies <= most, f"{copies} copies of {what}, at most {most} may be there"


def each_has_a_grant_of_its_own(arrivals: Iterable[Arrival], grants: Iterable[Grant]) -> None:
    """An attempt has a grant and sends a thing once; asking may be done several times under one."""
    by_thing: dict[tuple[DeliveryKind, str], list[Arrival]] = defaultdict(list)
    for one in arrivals:
        by_thing[one.kind, one.thing].append(one)
    in_order = sorted(grants, key=lambda grant: grant.granted_at)
    for (kind, thing), of_thing in by_thing.items():
        free = list(in_order)
        for one in sorted(of_thing, key=lambda arrival: arrival.came_at):
            covering = next((grant for grant in free if one.is_covered_by(grant)), None)
            assert covering is not None, f"{kind} {thing or 'asked'} at {one.came_at} without a grant of its own"
            if thing:
                free.remove(covering)


def none_granted_after_revocation(trail: Sequence[Event], grants: Collection[Grant], revoked: Collection[Flow]) -> None:
    """Both are committed under the case's lock and audited inside it, each grant once."""
    audited = Counter(one.delivery_id for one in trail if one.action == GRANTED)
    assert audited == Counter(one.delivery_id for one in grants), "a grant is not in the audit trail, or not once"
    if not revoked:
        return
    actions = [one.action for one in trail]
    assert REVOKED in actions, "a revocation that was acknowledged left no trace"
    late = [one for one in trail[actions.index(REVOKED) :] if one.action == GRANTED and one.flow in revoked]
    assert not late, "a grant was committed after the revocation"


def recalled_is_what_had_left(
    deliveries: Iterable[Delivery],
    grants: Iterable[Grant],
    noticed: Iterable[str],
    trail: Sequence[Event],
    revoked: Collection[Flow],
) -> None:
    """One notice, told once, of each delivery granted under the consent that was taken back, and no other."""
    granted = {one.delivery_id for one in grants}
    expected = Counter(one.id for one in deliveries if one.kind.flow in revoked and one.id in granted)
    assert Counter(noticed) == expected, f"recall notices of {sorted(noticed)}, and {sorted(expected)} had left"
    told = [index for index, one in enumerate(trail) if one.action == RECALLED]
    assert Counter(trail[index].delivery_id for index in told) == expected, "a recall notice was not told once"
    actions = [one.action for one in trail]
    assert not told or min(told) > actions.index(REVOKED), "a recall notice came before the revocation"
