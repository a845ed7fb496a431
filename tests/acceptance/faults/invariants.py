"""What holds after every schedule, whatever went wrong in it."""

from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select

from dicom_node.part10 import split_file
from gateway.domain.delivery import DeliveryKind, DeliveryState
from gateway.domain.record import Delivery
from gateway.services.recall import recall_lines
from gateway.services.sweeping import sweep
from gateway.services.waits import waits_of
from gateway.store import audit_chain, cases
from gateway.store.blob_references import referenced
from gateway.store.leftovers import LOCK
from gateway.store.tables import instance
from tests.acceptance.faults import findings, rules
from tests.acceptance.faults.journey import Journey
from tests.acceptance.faults.schedule import Fault
from tests.acceptance.faults.town import Town
from tests.acceptance.gateway import wait_for

_RETURNED = (DeliveryKind.REPORT_TO_EHR, DeliveryKind.REPORT_TO_PACS)
_DISCLOSED = (DeliveryKind.STUDY_TO_REVIEWER, DeliveryKind.DOCUMENT_TO_REVIEWER)


def hold(town: Town, journeys: Sequence[Journey], faults: Sequence[Fault]) -> None:
    """Every promise of the design that a fault could break, one after the other."""
    for journey in journeys:
        acknowledged_is_kept(town, journey)
        deliveries_have_ended_or_say_why(town, journey, faults)
        each_thing_arrived_once(town, journey, faults)
        nothing_left_without_a_grant(town, journey)
        nothing_else_is_at_the_reviewer(town, journey)
        no_grant_after_a_revocation(town, journey)
        what_left_is_recalled(town, journey)
    audit_holds(town)
    nothing_is_orphaned(town)


def acknowledged_is_kept(town: Town, journey: Journey) -> None:
    """What a sender saw answered with 0x0000 is in the catalogue, and its blob is what was sent."""
    uids = list(journey.acknowledged)
    query = select(instance.c.sop_instance_uid, instance.c.blob_sha256).where(instance.c.sop_instance_uid.in_(uids))
    with town.core.database.read() as connection:
        kept = {row.sop_instance_uid: row.blob_sha256 for row in connection.execute(query)}
    assert set(kept) == set(uids), "an acknowledged instance is not in the catalogue"
    for uid, path in journey.acknowledged.items():
        content = town.core.blobs.get(kept[uid])  # compares the hash
        assert dcmread(BytesIO(content)) == dcmread(path), "the blob of an acknowledged instance is another object"


def deliveries_have_ended_or_say_why(town: Town, journey: Journey, faults: Sequence[Fault]) -> None:
    """What stands still has a wait that names it and a person."""
    found = findings.deliveries_of(town, journey)
    expected = {*_DISCLOSED} | ({*_RETURNED} if journey.is_reported else set())
    missing = expected - {one.kind for one in found}
    with town.core.database.read() as connection:
        waits = list(waits_of(connection, cases.by_id(connection, journey.case.id)))
    assert not missing, f"no delivery was opened: {missing}; the case waits for {waits}"
    for one in found:
        is_revoked, is_open = one.kind.flow in journey.revoked, rules.may_be_open(faults, one.kind)
        rules.has_ended_or_says_why(one, is_revoked=is_revoked, may_be_open=is_open)
        if one.state is not DeliveryState.DELIVERED:
            assert any(one.kind in wait.what for wait in waits), f"no wait of the case names {one.kind}"
    assert all(wait.who for wait in waits)


def each_thing_arrived_once(town: Town, journey: Journey, faults: Sequence[Fault]) -> None:
    """At each destination, and told truly."""
    found = findings.deliveries_of(town, journey)
    copies = {
        DeliveryKind.REPORT_TO_EHR: len(town.in_ehr(journey.case)),
        DeliveryKind.REPORT_TO_PACS: len(town.in_pacs(journey.case)),
    }
    for kind in set(copies) - {one.kind for one in found}:
        assert not copies[kind], f"{kind}, of which there is no delivery"
    for one in found:
        is_open = rules.may_be_open(faults, one.kind)
        if one.kind in _DISCLOSED:
            _came_to_reviewer_once(town, journey, one, is_open)
        else:
            is_there = one.state is DeliveryState.DELIVERED
            rules.came_once(one.kind, copies[one.kind], is_acknowledged=is_there, may_be_open=is_open)


def _came_to_reviewer_once(town: Town, journey: Journey, delivery: Delivery, is_open: bool) -> None:
    """An archive knows the UID; where each arrival is a file, an attempt may repeat the one object in flight before."""
    arrivals, items = findings.at_reviewer(town, journey), findings.items_of(town, delivery)
    may_repeat = is_open or findings.was_taken_over(town, delivery)
    repeats = findings.most_repeats(town, delivery) if may_repeat else 0
    surplus = 0
    for item in items:
        copies, is_there = len(arrivals.get(item.sop_instance_uid, [])), item.status is not None
        assert is_there or delivery.state is not DeliveryState.DELIVERED, "delivered, and not all is acknowledged"
        rules.came_once(delivery.kind, copies, is_acknowledged=is_there, may_be_open=may_repeat, repeats=repeats)
        surplus += max(copies - 1, 0)
    assert surplus <= repeats, f"{delivery.kind} came too often"


def nothing_left_without_a_grant(town: Town, journey: Journey) -> None:
    """Whatever reached a destination had a grant of its own, which stood when it left."""
    arrivals = [
        *findings.arrivals_at_reviewer(town, journey),
        *findings.arrivals_in_ehr(town, journey),
        *findings.arrivals_in_pacs(town, journey),
    ]
    delivered = {one.kind for one in findings.deliveries_of(town, journey) if one.state is DeliveryState.DELIVERED}
    assert delivered <= {one.kind for one in arrivals if one.thing}, "delivered, and nobody saw it come"
    rules.each_has_a_grant_of_its_own(arrivals, findings.grants_of(town, journey))


def nothing_else_is_at_the_reviewer(town: Town, journey: Journey) -> None:
    """Each object there is, byte for byte behind its preamble and group 2, the one that was prepared."""
    arrived = findings.at_reviewer(town, journey)
    for delivery in findings.deliveries_of(town, journey):
        for item in findings.items_of(town, delivery):
            sent = town.core.blobs.get(item.blob_sha256)
            for path in arrived.get(item.sop_instance_uid, []):
                came = path.read_bytes()
                assert came[split_file(came)[1] :] == sent[split_file(sent)[1] :], "another object than was prepared"


def no_grant_after_a_revocation(town: Town, journey: Journey) -> None:
    """The audit trail tells of each grant, and of none after the consent was taken back."""
    trail, grants = findings.trail_of(town, journey), findings.grants_of(town, journey)
    rules.none_granted_after_revocation(trail, grants, journey.revoked)


def what_left_is_recalled(town: Town, journey: Journey) -> None:
    """A notice for each thing that had left when its consent went, which says what is known of it."""
    rules.recalled_is_what_had_left(
        findings.deliveries_of(town, journey),
        findings.grants_of(town, journey),
        findings.noticed_in(town, journey),
        findings.trail_of(town, journey),
        journey.revoked,
    )
    for line in recall_lines(town.core, limit=100, case_id=journey.case.id):
        assert line.reason and line.recipient and "granted at" in line.what_left


def audit_holds(town: Town) -> None:
    """The chain has no gap, and the sealer comes to its end."""

    def is_sealed() -> bool:
        with town.core.database.read() as connection:
            if audit_chain.has_unsealed(connection):
                return False
            verified = audit_chain.verify(connection)
        assert verified.broken_at is None, f"the audit chain is broken at {verified.broken_at}"
        return verified.unsealed == 0

    wait_for(is_sealed, "the sealer")


def nothing_is_orphaned(town: Town) -> None:
    """After a sweep that spares nothing there are exactly the blobs that rows refer to, and no spool file."""
    data = Path(town.gateway.environment["CONSILIUM_DATA_DIR"])
    sweep(town.core, data / "spool", min_age=-timedelta(seconds=5))
    with town.core.database.read() as connection:
        kept = sorted(referenced(connection))
    assert kept == sorted(town.core.blobs.digests())
    left = [path for name in ("spool", "blobs/partial") for path in (data / name).rglob("*")]
    assert not [path for path in left if path.is_file() and path.name != LOCK]
