"""A later version of an order names another reviewer: the case follows as long as nothing has been disclosed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from gateway.demo import resources as demo
from gateway.domain.caller import Caller
from gateway.domain.delivery import DeliveryState, EgressGrant, Flow
from gateway.domain.errors import NotYet, Unprocessable
from gateway.domain.party import DicomAddress, EndpointRole, Identifier, PartyKind
from gateway.domain.record import Delivery
from gateway.services import cases as case_services
from gateway.services import closing, delivery_control, egress, registry, review
from gateway.services.registry import NewEndpoint
from gateway.services.review_grant import Reading
from gateway.store import audit, cases, deliveries, parties
from tests.integration.store.finished import Clinic, current
from tests.integration.store.stage import REVIEWER, Json, update

SECOND = replace(REVIEWER, value="dr-kaya")
UNKNOWN = replace(REVIEWER, value="nobody-here")
CANCELLED, PENDING, HELD = DeliveryState.CANCELLED, DeliveryState.PENDING, DeliveryState.HELD


@pytest.fixture
def second(clinic: Clinic) -> str:
    """The id of another reviewer with a node."""
    core = clinic.stage.core
    found = registry.register_party(
        core.database,
        kind=PartyKind.REVIEWER,
        name="kaya",
        identifiers=[SECOND],
        country="TR",
        time_zone="Europe/Istanbul",
        endpoints=[NewEndpoint("kaya-node", EndpointRole.REVIEWER_NODE, dicom=DicomAddress("KAYA", "10.0.0.7", 104))],
        actor="test",
        now=core.now(),
    )
    return found.party.id


def _ordered(clinic: Clinic) -> str:
    """A case whose consents permit both reviewers."""
    data = clinic.stage.case_data()
    case_id = clinic.order(data=data)
    patient = f"Patient/{clinic.case(case_id).patient_id}"
    clinic.stage.post(demo.consent(replace(data, reviewer=SECOND), Flow.DISCLOSE_TO_REVIEWER, patient))
    clinic.stage.work()
    return case_id


def _performer(*identifiers: Identifier) -> list[Json]:
    return [{"identifier": {"system": one.system, "value": one.value}} for one in identifiers]


def _again(clinic: Clinic, case_id: str, *identifiers: Identifier, **changes: object) -> None:
    """The order comes again, naming these as performers."""
    order = current(clinic, "ServiceRequest", case_id)
    content = dict(order.content)
    content.pop("performer", None)
    named = {"performer": _performer(*identifiers)} if identifiers else {}
    clinic.stage.post(update(replace(order, content=content), **named, **changes))
    clinic.stage.work()


def _of(clinic: Clinic, case_id: str, party: str) -> list[Delivery]:
    with clinic.stage.core.database.read() as connection:
        owned = {one.id for one in parties.endpoints(connection, party_id=party)}
        return [one for one in deliveries.listed(connection, case_id=case_id) if one.endpoint_id in owned]


def _states(clinic: Clinic, case_id: str, party: str) -> set[DeliveryState]:
    return {one.state for one in _of(clinic, case_id, party)}


def _rows(clinic: Clinic, case_id: str, action: str) -> list[dict[str, object]]:
    with clinic.stage.core.database.read() as connection:
        return [row.details for row in audit.of_case(connection, case_id, actions=(action,))]


def _granted(clinic: Clinic, delivery: Delivery) -> EgressGrant | None:
    with suppress(NotYet):
        return egress.grant(clinic.stage.core, delivery.id)
    return None


def test_the_case_follows_and_nothing_goes_to_the_first(clinic: Clinic, second: str) -> None:
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    assert _states(clinic, case_id, first) == {PENDING}
    _again(clinic, case_id, SECOND)
    assert clinic.case(case_id).reviewer_id == second
    assert (_states(clinic, case_id, first), _states(clinic, case_id, second)) == ({CANCELLED}, {PENDING})
    assert len(_of(clinic, case_id, second)) == len(_of(clinic, case_id, first)) == 2
    assert [_granted(clinic, one) for one in _of(clinic, case_id, first)] == [None, None]
    assert _rows(clinic, case_id, "case.reassign") == [{"from": first, "to": second}]
    clinic.arrive(case_id)
    assert _states(clinic, case_id, second) == {DeliveryState.DELIVERED}


def test_it_comes_back_to_the_first_with_what_was_to_go_there(clinic: Clinic, second: str) -> None:
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    _again(clinic, case_id, SECOND)
    _again(clinic, case_id, REVIEWER)
    assert clinic.case(case_id).reviewer_id == first
    assert (_states(clinic, case_id, first), _states(clinic, case_id, second)) == ({PENDING}, {CANCELLED})
    clinic.arrive(case_id)
    assert _states(clinic, case_id, first) == {DeliveryState.DELIVERED}


def test_what_a_person_held_back_stays_held_when_it_comes_back(clinic: Clinic, second: str) -> None:
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    held = _of(clinic, case_id, first)[0]
    delivery_control.hold(clinic.stage.core, held.id, "wait", actor="n")
    _again(clinic, case_id, SECOND)
    _again(clinic, case_id, REVIEWER)
    [again] = [one for one in _of(clinic, case_id, first) if one.id == held.id]
    assert (again.state, again.stopped_by) == (HELD, "n")


@pytest.mark.parametrize("named", [(SECOND,), (UNKNOWN,), ()])
def test_what_has_been_disclosed_keeps_the_case_where_it_is(
    clinic: Clinic, second: str, named: tuple[Identifier, ...]
) -> None:
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    clinic.arrive(case_id)
    before = current(clinic, "ServiceRequest", case_id).version
    with pytest.raises(Unprocessable, match="end this order and send a new one, or ask the centre") as refusal:
        _again(clinic, case_id, *named)
    assert refusal.value.at == "Bundle.entry[0].resource.performer"
    assert (clinic.case(case_id).reviewer_id, _states(clinic, case_id, second)) == (first, set())
    assert current(clinic, "ServiceRequest", case_id).version == before


def test_a_grant_alone_is_a_disclosure(clinic: Clinic, second: str) -> None:
    case_id = _ordered(clinic)
    granted = [_granted(clinic, one) for one in _of(clinic, case_id, clinic.stage.reviewer.id)]
    assert any(granted)
    with pytest.raises(Unprocessable):
        _again(clinic, case_id, SECOND)


def test_so_is_what_the_reviewer_read(clinic: Clinic, second: str) -> None:
    case_id, core = _ordered(clinic), clinic.stage.core
    reading = Reading(core.database, core.now, core.pseudonym_key)
    review.read(reading, Caller("reviewer", clinic.stage.reviewer), "ServiceRequest", clinic.case(case_id).pseudonym)
    with pytest.raises(Unprocessable):
        _again(clinic, case_id, SECOND)


def test_a_delivery_to_another_than_the_reviewer_gets_no_grant(clinic: Clinic, second: str) -> None:
    """Whatever set the reviewer: the exit looks itself."""
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    with clinic.stage.core.database.write("test") as connection:
        cases.set_reviewer(connection, case_id, second)
    assert [_granted(clinic, one) for one in _of(clinic, case_id, first)] == [None, None]


def test_an_order_ends_whomever_it_names(clinic: Clinic, second: str) -> None:
    case_id = _ordered(clinic)
    clinic.arrive(case_id)
    _again(clinic, case_id, SECOND, status="revoked")
    assert (clinic.case(case_id).state, clinic.case(case_id).reviewer_id) == ("closed", clinic.stage.reviewer.id)


def test_an_order_that_ended_and_begins_anew_for_another_revives_nothing_for_the_first(
    clinic: Clinic, second: str
) -> None:
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    _again(clinic, case_id, REVIEWER, status="revoked")
    _again(clinic, case_id, SECOND, status="active")
    assert clinic.case(case_id).reviewer_id == second
    assert (_states(clinic, case_id, first), _states(clinic, case_id, second)) == ({CANCELLED}, {PENDING})
    _again(clinic, case_id, SECOND, status="revoked")
    _again(clinic, case_id, SECOND, status="active")
    assert (_states(clinic, case_id, first), _states(clinic, case_id, second)) == ({CANCELLED}, {PENDING})


@pytest.mark.parametrize("named", [(UNKNOWN,), ()])
def test_who_is_named_no_more_loses_the_case_and_a_person_assigns_it(
    clinic: Clinic, second: str, named: tuple[Identifier, ...]
) -> None:
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    _again(clinic, case_id, *named)
    assert (clinic.case(case_id).reviewer_id, _states(clinic, case_id, first)) == (None, {CANCELLED})
    case_services.assign(clinic.stage.core, case_id, "deniz", actor="n")
    clinic.stage.work()
    assert _states(clinic, case_id, first) == {PENDING}
    _again(clinic, case_id, *named, priority="urgent")
    assert (clinic.case(case_id).reviewer_id, _states(clinic, case_id, first)) == (first, {PENDING})


def test_whom_a_person_assigned_goes_where_the_order_names_another(clinic: Clinic, second: str) -> None:
    case_id, first = _ordered(clinic), clinic.stage.reviewer.id
    _again(clinic, case_id)
    case_services.assign(clinic.stage.core, case_id, "deniz", actor="n")
    clinic.stage.work()
    _again(clinic, case_id, SECOND)
    assert (clinic.case(case_id).reviewer_id, _states(clinic, case_id, first)) == (second, {CANCELLED})


def test_a_case_without_a_reviewer_gets_the_one_whom_the_order_names(clinic: Clinic, second: str) -> None:
    case_id = _ordered(clinic)
    _again(clinic, case_id)
    _again(clinic, case_id, SECOND)
    assert (clinic.case(case_id).reviewer_id, _states(clinic, case_id, second)) == (second, {PENDING})


def test_a_case_that_the_centre_closed_is_not_moved(clinic: Clinic, second: str) -> None:
    case_id = clinic.finished()
    closing.close(clinic.stage.core, case_id, reason="done", actor="n")
    with pytest.raises(Unprocessable):
        _again(clinic, case_id, SECOND)


def test_raced_against_the_grant_one_of_the_two_is_first(clinic: Clinic, second: str) -> None:
    """Either something was granted and the order is refused, or the case went on and nothing is granted any more."""
    for _ in range(10):
        case_id, first = _ordered(clinic), clinic.stage.reviewer.id
        images = _of(clinic, case_id, first)[0]
        start, seen = Barrier(2), dict[str, object]()

        def moved(case_id: str = case_id) -> object:
            try:
                order = current(clinic, "ServiceRequest", case_id)
                clinic.stage.post(update(order, performer=_performer(SECOND)))
            except Unprocessable:
                return False
            return True

        def granted(images: Delivery = images) -> object:
            return egress.grant(clinic.stage.core, images.id) is not None

        def run(name: str, work: Callable[[], object], start: Barrier = start, seen: dict[str, object] = seen) -> None:
            start.wait()
            seen[name] = work()

        threads = [Thread(target=run, args=("moved", moved)), Thread(target=run, args=("granted", granted))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert seen["moved"] is not seen["granted"]
        assert clinic.case(case_id).reviewer_id == (second if seen["moved"] else first)
