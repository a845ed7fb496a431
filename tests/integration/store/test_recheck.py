"""A consent that ends or begins by time alone is noticed at that moment, once, and nothing is recalled for it."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from gateway.demo import resources as demo
from gateway.domain.consent import Outcome, indeterminate
from gateway.domain.delivery import DeliveryState, Flow
from gateway.domain.record import Delivery
from gateway.domain.work import Job, JobKind, JobState, next_job
from gateway.services import egress, recheck
from gateway.services.consents import Ground
from gateway.services.revocation import redecide
from gateway.store import audit, cases, deliveries, outbox, recalls
from gateway.store.tables import outbox as rows
from tests.integration.store.finished import DAY, Clinic
from tests.integration.store.overlap import overlapping
from tests.integration.store.stage import Json, Stage

HELD, PENDING = DeliveryState.HELD, DeliveryState.PENDING


@pytest.fixture
def clinic(stage: Stage) -> Clinic:
    return Clinic(stage)


def _order(clinic: Clinic, **period: datetime) -> str:
    """A case whose consent to disclose is in force for that period."""
    data = clinic.stage.case_data()
    bundle = demo.clinic_bundle(data, b"%PDF-1.7", (Flow.DISCLOSE_TO_REVIEWER,))
    [consent] = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Consent"]
    provision: Json = consent["provision"]
    provision["period"] = {name: moment.isoformat(timespec="seconds") for name, moment in period.items()}
    return clinic.order(bundle, data=data)


def _deliveries(clinic: Clinic, case_id: str) -> list[Delivery]:
    with clinic.stage.core.database.read() as connection:
        return deliveries.listed(connection, case_id=case_id)


def _decided(clinic: Clinic, case_id: str) -> Counter[tuple[str, str]]:
    with clinic.stage.core.database.read() as connection:
        return Counter((row.stage, row.outcome) for row in deliveries.decisions(connection, case_id))


def _rechecks(clinic: Clinic, case_id: str) -> list[datetime]:
    with clinic.stage.core.database.read() as connection:
        query = select(rows.c.next_try_at).where(rows.c.kind == JobKind.CASE_RECHECK, rows.c.state == JobState.PENDING)
        return list(connection.execute(query.where(rows.c.subject_id == case_id)).scalars())


def test_a_consent_that_ends_holds_at_once_what_has_not_left_and_recalls_nothing(clinic: Clinic) -> None:
    case_id = _order(clinic, end=clinic.stage.core.now() + DAY)
    images, document = _deliveries(clinic, case_id)
    granted = egress.grant(clinic.stage.core, images.id)
    assert granted is not None
    clinic.later(DAY / 2)
    assert {one.state for one in _deliveries(clinic, case_id)} == {PENDING}
    clinic.later(DAY)
    assert {one.state for one in _deliveries(clinic, case_id)} == {HELD}
    assert _decided(clinic, case_id)["recheck", "deny"] == 2
    with clinic.stage.core.database.read() as connection:
        assert recalls.listed(connection, case_id=case_id, is_open=False) == []
        assert len(audit.of_case(connection, case_id, actions=["egress.denied"])) == 2
    assert "egress" not in document.waits_for


def test_a_consent_that_begins_releases_what_waited_for_it(clinic: Clinic) -> None:
    case_id = _order(clinic, start=clinic.stage.core.now() + DAY)
    [images, document] = _deliveries(clinic, case_id)
    assert (images.state, document.state) == (HELD, HELD)
    clinic.later(DAY / 2)
    assert {one.state for one in _deliveries(clinic, case_id)} == {HELD}
    clinic.later(DAY)
    after = _deliveries(clinic, case_id)
    assert [(one.state, one.waits_for, bool(one.payload_sha256)) for one in after] == [(PENDING, "", True)] * 2
    assert _decided(clinic, case_id)["recheck", "permit"] == 2


def test_both_ends_are_noticed(clinic: Clinic) -> None:
    now = clinic.stage.core.now()
    case_id = _order(clinic, start=now + DAY, end=now + 3 * DAY)
    clinic.later(2 * DAY)
    assert {one.state for one in _deliveries(clinic, case_id)} == {PENDING}
    [again] = _rechecks(clinic, case_id)
    assert abs(again - (now + 3 * DAY)) < timedelta(seconds=2)
    clinic.later(2 * DAY)
    assert {one.state for one in _deliveries(clinic, case_id)} == {HELD}
    assert _rechecks(clinic, case_id) == []


def test_what_has_arrived_is_left_alone(clinic: Clinic) -> None:
    case_id = _order(clinic, end=clinic.stage.core.now() + DAY)
    clinic.arrive(case_id)
    clinic.later(2 * DAY)
    assert {one.state for one in _deliveries(clinic, case_id)} == {DeliveryState.DELIVERED}
    assert not any(stage == "recheck" for stage, _ in _decided(clinic, case_id))


def test_the_moment_of_a_decision_that_an_earlier_clock_dated_before_another_is_kept(clinic: Clinic) -> None:
    """Whoever read the clock first may lock the case last: the last decision is not the one with the latest time."""
    core = clinic.stage.core
    case_id = _order(clinic, start=core.now() + DAY)
    with core.database.write("test") as connection:
        for one in deliveries.listed(connection, case_id=case_id):
            deliveries.add_decision(
                connection,
                case_id=case_id,
                delivery_id=one.id,
                flow=one.kind.flow,
                stage="grant",
                outcome=Outcome.DENY,
                reasons=[],
                consents=[],
                payload_sha256=one.payload_sha256,
                valid_until=None,
                now=core.now(),
            )
    clinic.later(2 * DAY)
    assert {one.state for one in _deliveries(clinic, case_id)} == {PENDING}


def test_what_is_held_and_could_not_be_decided_is_asked_again(clinic: Clinic) -> None:
    core = clinic.stage.core
    case_id = _order(clinic, start=core.now() + DAY)
    assert {one.state for one in _deliveries(clinic, case_id)} == {HELD}
    with core.database.write("test") as connection:
        case, unread = cases.lock(connection, case_id), Ground(foregone=indeterminate("the store was away", ""))
        for one in deliveries.listed(connection, case_id=case_id):
            recorded = redecide(connection, case, one, stage="consent", now=core.now(), ground=unread)
            assert recorded.decision.valid_until is None
    with core.database.read() as connection:
        jobs = [outbox.unsettled(connection, *next_job(one)) for one in _deliveries(clinic, case_id)]
    assert all(jobs)


def test_two_that_look_at_once_decide_once(clinic: Clinic) -> None:
    case_id = _order(clinic, end=clinic.stage.core.now() + DAY)
    core = clinic.stage.core
    job = Job("job", JobKind.CASE_RECHECK, case_id, case_id, attempt=1, failures=0, since=core.now(), owner="w")
    clinic.stage.ahead += 2 * DAY

    def look() -> None:
        recheck.recheck(core, job)

    overlapping(core.database, look, look)
    assert _decided(clinic, case_id)["recheck", "deny"] == 2
    with core.database.read() as connection:
        assert len(audit.of_case(connection, case_id, actions=["egress.denied"])) == 2
