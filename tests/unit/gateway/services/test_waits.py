"""Each wait gives the command that moves it, with the ids that go into it."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.breaker import Breaker
from gateway.domain.consent.decision import Outcome
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import NotFound
from gateway.domain.work import JobKind
from gateway.services import delivery_control, egress, listing
from gateway.services.second_look import MATCHED
from gateway.services.story import case_story
from gateway.services.waits import study_wait
from gateway.store import audit, breakers, deliveries, outbox, studies
from gateway.store.studies import Place
from gateway.store.tables import case, endpoint
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery


def _change(scenery: Scenery, delivery_id: str, **values: Any) -> None:
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, delivery_id, now=scenery.clock(), **values)


def test_the_study_is_asked_of_the_clinic_or_linked(scenery: Scenery) -> None:
    by_store = "the PACS team of ankara: send it by C-STORE"
    assert scenery.waits() == {"the study": by_store}
    study_id = scenery.study("unmatched")
    link = f"consilium study link {study_id} {scenery.case.id}"
    assert scenery.waits() == {"the study": f"{by_store}; or a coordinator, if it came without its key: {link}"}


def test_a_case_without_a_reviewer_names_those_there_are(scenery: Scenery) -> None:
    with scenery.core.database.write("test") as connection:
        connection.execute(case.update().values(reviewer_id=None))
    assert scenery.waits()["a reviewer"] == f"a coordinator: consilium case assign {scenery.case.id} board"


def test_missing_endpoints_are_added_to_their_party(scenery: Scenery) -> None:
    scenery.report()
    with scenery.core.database.write("test") as connection:
        connection.execute(endpoint.delete().where(endpoint.c.name == "board-node"))
        connection.execute(endpoint.update().where(endpoint.c.name == "ankara-ehr").values(party_id="board"))
    waits = scenery.waits()
    add = "an administrator: consilium endpoint"
    node, ehr = "board-node AE@HOST:PORT --party board", "ankara-ehr BASE_URL --party ankara"
    assert waits["a DICOM node of the reviewer"] == f"{add} add-dicom {node}"
    assert waits["an EHR endpoint of the clinic"] == f"{add} add-fhir {ehr}"


@pytest.mark.parametrize(
    ("state", "verbs"),
    [(DeliveryState.FAILED, "retry|cancel"), (DeliveryState.AMBIGUOUS, "retry|confirm|resend|cancel")],
)
def test_a_delivery_that_a_person_decides_on(scenery: Scenery, state: DeliveryState, verbs: str) -> None:
    delivery = scenery.images("1.1")
    _change(scenery, delivery.id, state=state, waits_for="an administrator: refused")
    assert scenery.waits() == {
        f"study-to-reviewer {state}: refused": f"an administrator: consilium delivery {verbs} {delivery.id}"
    }


def test_a_delivery_whose_work_fails_before_it_is_sent_says_why(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    job = scenery.claimed(JobKind.DELIVERY_SEND, delivery.id)
    with scenery.core.database.write("test") as connection:
        outbox.postpone(connection, job, next_try_at=scenery.clock(), error="NotYet: consents unread")
    [what] = scenery.waits()
    assert what.endswith("after: NotYet: consents unread")


def test_where_the_consents_allow_no_decision_it_is_the_clinic_that_can_move_it(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    job = scenery.claimed(JobKind.DELIVERY_SEND, delivery.id)
    with scenery.core.database.write("test") as connection:
        deliveries.add_decision(
            connection,
            case_id=scenery.case.id,
            delivery_id=delivery.id,
            flow=DISCLOSE,
            stage="grant",
            outcome=Outcome.INDETERMINATE,
            reasons=["the consents contradict themselves"],
            consents=[],
            payload_sha256=delivery.payload_sha256,
            valid_until=None,
            now=scenery.clock(),
        )
        outbox.postpone(connection, job, next_try_at=scenery.clock(), error="NotYet: contradicting consents")
    [(what, who)] = scenery.waits().items()
    assert what.endswith("after: NotYet: contradicting consents")
    shown = f"consilium consent list --case {scenery.case.id}"
    assert who == f"the clinic ankara, by its consents; on file is what this shows: {shown}"


def test_a_delivery_that_is_tried_again_says_when_and_how_to_look(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    _change(scenery, delivery.id, last_error="Transient: NODE cannot be reached")
    with scenery.core.database.write("test") as connection:
        egress.enqueue_next(connection, scenery.delivery(delivery.id), now=scenery.clock())
    [(what, who)] = scenery.waits().items()
    assert what.endswith("the next try at 2026-03-02 09:00:00 UTC after: Transient: NODE cannot be reached")
    assert "consilium endpoint test board-node" in who
    assert f"consilium delivery retry {delivery.id}" in who


def test_a_destination_that_is_left_alone_is_named_with_its_next_try(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    now = scenery.clock()
    with scenery.core.database.write("test") as connection:
        breakers.lock(connection, delivery.endpoint_id)
        breakers.keep(connection, delivery.endpoint_id, Breaker(3, now, now + timedelta(minutes=7)))
        egress.enqueue_next(connection, scenery.delivery(delivery.id), now=now)
    [(what, who)] = scenery.waits().items()
    silence = "board-node has not answered since 2026-03-02 09:00:00 UTC"
    assert what.endswith(f"the next try at 2026-03-02 09:07:00 UTC after: {silence}")
    assert "consilium endpoint test board-node" in who

    delivery_control.retry(scenery.core, delivery.id, actor="cli:test")
    [what] = scenery.waits()
    assert "the next try at 2026-03-02 09:00:00 UTC" in what
    assert scenery.claimed(JobKind.DELIVERY_SEND, delivery.id).attempt == 1


def test_objects_that_could_not_be_proven_clean_are_shown_one_by_one(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    _change(scenery, delivery.id, waits_for="a person: 1 of the study's objects could not be proven clean")
    with scenery.core.database.write("test") as connection:
        place = Place(scenery.case.id, delivery.subject_id, None)
        entry_id = studies.put_in_quarantine(connection, "deidentification", "burned in", place, now=scenery.clock())
    waits = scenery.waits()
    assert waits["burned in"] == f"a coordinator: consilium quarantine show {entry_id}"
    held = "study-to-reviewer pending: 1 of the study's objects could not be proven clean"
    assert waits[held] == f"a person (a coordinator): consilium quarantine show {entry_id}"


def test_a_cancelled_delivery_names_no_command(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    _change(scenery, delivery.id, state=DeliveryState.CANCELLED, waits_for="cli:somebody: cancelled it")
    assert scenery.waits() == {"study-to-reviewer cancelled: cancelled it": "cli:somebody"}


def test_the_report_is_asked_of_the_reviewer_by_name(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    _change(scenery, delivery.id, state=DeliveryState.DELIVERED)
    assert scenery.waits() == {"the report": "the reviewer board"}


def test_an_unmatched_study_says_which_command_links_it(scenery: Scenery) -> None:
    study_id = scenery.study("unmatched")
    with scenery.core.database.write("test") as connection:
        connection.execute(case.update().values(state="closed"))
        study = studies.by_id(connection, study_id)
        assert f"consilium study link {study_id} CASE: no open order" in study_wait(connection, study)


def test_a_delivery_without_work_says_so_in_the_list(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    retry = f"an administrator, by consilium delivery retry {delivery.id}: its work ended unfinished"
    assert listing.delivery_view(scenery.core, delivery.id).delivery.waits_for == retry
    _change(scenery, delivery.id, payload_sha256="")
    job_id = scenery.stop(JobKind.STUDY_RELEASE, delivery.subject_id, "Permanent: no room")
    revive = f"an administrator, by consilium job retry {job_id}: Permanent: no room"
    assert [one.waits_for for one in listing.delivery_lines(scenery.core, limit=1)] == [revive]
    assert list(scenery.waits()) == ["study-release, which gave up: Permanent: no room"]
    with scenery.core.database.write("test") as connection:
        egress.enqueue_next(connection, scenery.delivery(delivery.id), now=scenery.clock())
    assert listing.delivery_view(scenery.core, delivery.id).delivery.waits_for == ""


def test_a_study_that_settles_again_does_not_move_a_delivery_whose_release_ended(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    _change(scenery, delivery.id, payload_sha256="")
    scenery.claimed(JobKind.STUDY_SETTLE, delivery.subject_id)
    retry = f"consilium delivery retry {delivery.id}"
    assert [who for what, who in scenery.waits().items() if "stopped" in what] == [f"an administrator: {retry}"]
    assert retry in listing.delivery_view(scenery.core, delivery.id).delivery.waits_for


def test_of_many_unmatched_studies_a_few_are_named_and_the_others_counted(scenery: Scenery) -> None:
    with scenery.core.database.write("test") as connection:
        for number in range(5):
            moment = scenery.clock() + timedelta(seconds=number)
            known: dict[str, Any] = {"clinic_id": "ankara", "endpoint_id": "ankara-pacs", "patient_id": "", "sex": ""}
            known |= {"issuer_of_patient_id": "", "patient_names": [], "accession_number": "", "study_description": ""}
            known |= {"first_received_at": moment, "last_received_at": moment, "accession_pseudonym": f"AC{number}"}
            begun = studies.begun(connection, known | {"study_instance_uid": f"1.2.{number}"})
            studies.change(connection, begun.id, state="unmatched")
    who = scenery.waits()["the study"]
    assert who.count("|") == 2
    assert "and 2 more: consilium study list --state unmatched" in who


def _line(scenery: Scenery) -> listing.deliveries.DeliveryLine:
    [line] = listing.delivery_lines(scenery.core, limit=9, endpoint_name="board-node")
    return line


def test_the_list_says_why_a_delivery_has_not_arrived_and_when_it_is_tried(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery, now = scenery.images("1.1"), scenery.clock()
    job = scenery.claimed(JobKind.DELIVERY_SEND, delivery.id)
    assert (_line(scenery).waits_for, _line(scenery).next_try_at) == ("", None)
    due_at, probe_at = now + timedelta(minutes=1), now + timedelta(minutes=5)
    with scenery.core.database.write("test") as connection:
        outbox.postpone(connection, job, next_try_at=due_at, error="Transient: no study there")
    backed_off = _line(scenery)
    assert backed_off.next_try_at == due_at
    assert backed_off.waits_for == f"the next try at {due_at:%Y-%m-%d %H:%M:%S} UTC after: Transient: no study there"
    with scenery.core.database.write("test") as connection:
        breakers.lock(connection, "board-node")
        breakers.keep(connection, "board-node", Breaker(3, now, probe_at))
    behind = _line(scenery)
    assert behind.next_try_at == probe_at
    assert behind.waits_for.startswith(f"the next try at {probe_at:%Y-%m-%d %H:%M:%S} UTC after: board-node has not")
    assert listing.delivery_view(scenery.core, delivery.id).delivery == behind
    assert f"study-to-reviewer: {behind.waits_for}" in scenery.waits()
    assert listing.delivery_lines(scenery.core, limit=9, endpoint_name="ankara-ehr") == []


def test_every_attempt_stays_visible_after_a_retry(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    with scenery.core.database.write("test") as connection:
        audit.record(
            connection,
            at=scenery.clock(),
            actor="gateway",
            action="delivery.attempt",
            case_id=scenery.case.id,
            subject=f"delivery/{delivery.id}",
            outcome="failure",
            details={"error": "Unreachable", "attempt": 7},
        )
    _change(scenery, delivery.id, state=DeliveryState.FAILED, waits_for="an administrator: away", attempts=7)
    delivery_control.retry(scenery.core, delivery.id, actor="cli:test")
    told = [(one.action, one.attempt, one.error) for one in listing.delivery_view(scenery.core, delivery.id).history]
    assert told[-2:] == [("delivery.attempt", 7, "Unreachable"), ("delivery.retry", None, "")]


def test_after_an_outage_all_that_failed_to_an_endpoint_is_tried_again(scenery: Scenery) -> None:
    failed, other = [scenery.report_to_pacs(version) for version in (1, 2)], scenery.images("1.1")
    held = scenery.report_to_pacs(3)
    for one in (*failed, other):
        _change(scenery, one.id, state=DeliveryState.FAILED, waits_for="an administrator: away")
    _change(scenery, held.id, state=DeliveryState.HELD, waits_for="a consent")
    tried = delivery_control.retry_failed(scenery.core, "ankara-pacs", actor="cli:test")
    assert sorted(tried) == sorted(one.id for one in failed)
    assert {scenery.delivery(one.id).state for one in failed} == {DeliveryState.PENDING}
    assert scenery.delivery(other.id).state is DeliveryState.FAILED
    assert scenery.delivery(held.id).state is DeliveryState.HELD
    with pytest.raises(NotFound):
        delivery_control.retry_failed(scenery.core, "nowhere", actor="cli:test")


def test_each_time_a_study_was_complete_stays_in_the_story(scenery: Scenery) -> None:
    study_id = scenery.study("matched")
    with scenery.core.database.write("test") as connection:
        for instances in (1, 2):
            audit.record(
                connection,
                at=scenery.clock(),
                actor="matching",
                action=MATCHED,
                case_id=scenery.case.id,
                subject=f"study/{study_id}",
                details={"by": "StudyInstanceUID", "instances": instances},
            )
            scenery.clock.forward(seconds=60)
    told = [(one.what, one.outcome) for one in case_story(scenery.core, scenery.case.id).stations]
    earlier = "study was complete for then (assumed: it went quiet)"
    assert [outcome for what, outcome in told if what == earlier] == ["1 objects", "2 objects"]
    assert [outcome for what, outcome in told if what.startswith("study complete for now")] == ["0 objects"]
