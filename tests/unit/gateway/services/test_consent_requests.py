"""A report that waits for a consent asks the clinic by a Task, and a recall is told to it by a Communication."""

from typing import Any

import pytest

from fhir_mappings.codes import DELIVERY_SYSTEM, RECALL_SYSTEM
from fhir_mappings.validation import check_resource
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.party import Identifier
from gateway.domain.record import Delivery
from gateway.services import consent_requests, delivery_control, egress, recall, recalling, revoking
from gateway.store import cases
from tests.unit.gateway.services.consent_acts import actions, consent, instant, of_clinic
from tests.unit.gateway.services.scenery import DISCLOSE, RETURN, Scenery

OPTOUT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]}

WANTED = "A consent of the patient that permits return-to-clinic to ankara for COC or TREAT; the report waits for it."


def _task(scenery: Scenery, delivery: Delivery) -> Any:
    found = of_clinic(scenery, "Task", Identifier(DELIVERY_SYSTEM, delivery.id))
    if found is not None:
        check_resource(found, ("Task",))
    return found


def _code(task: Any) -> tuple[str, str]:
    return task["status"], task["businessStatus"]["coding"][0]["code"]


@pytest.fixture
def waiting(scenery: Scenery) -> Delivery:
    """A report that is held for want of a consent."""
    delivery = scenery.report()
    assert egress.grant(scenery.core, delivery.id) is None
    return delivery


def test_the_clinic_is_asked_once_and_told_when_it_is_there(scenery: Scenery, waiting: Delivery) -> None:
    asked = _task(scenery, waiting)
    assert _code(asked) == ("requested", "missing")
    assert asked["focus"] == asked["basedOn"][0] == {"reference": f"ServiceRequest/{scenery.case.id}"}
    assert asked["for"] == {"reference": f"Patient/{scenery.case.patient_id}"}
    assert asked["description"] == WANTED
    egress.grant(scenery.core, waiting.id)
    assert _task(scenery, waiting) == asked
    scenery.clock.forward(hours=1)
    given = scenery.consent(RETURN)
    told = _task(scenery, waiting)
    assert _code(told) == ("completed", "there")
    assert (told["authoredOn"], told["id"]) == (asked["authoredOn"], asked["id"])
    scenery.consent(RETURN, status="inactive", of=given)
    assert _code(_task(scenery, waiting)) == ("requested", "missing")


def test_a_delivery_that_ends_needs_it_no_more(scenery: Scenery, waiting: Delivery) -> None:
    delivery_control.cancel(scenery.core, waiting.id, actor="cli:admin")
    assert _code(_task(scenery, waiting)) == ("cancelled", "not-needed")


def test_nobody_is_asked_when_the_patient_has_said_no(scenery: Scenery, waiting: Delivery) -> None:
    consent(scenery, RETURN, policyRule=OPTOUT, without=("policy", "provision"))
    assert _code(_task(scenery, waiting)) == ("cancelled", "not-needed")
    assert scenery.delivery(waiting.id).state is DeliveryState.HELD


def test_the_clinic_is_told_of_the_consent_that_was_taken_back(scenery: Scenery) -> None:
    given = scenery.consent(RETURN)
    scenery.clock.time = instant("2026-03-02T18:00:00Z")
    scenery.consent(RETURN, status="inactive", of=given)
    delivery = scenery.report()
    assert egress.grant(scenery.core, delivery.id) is None
    asked = _task(scenery, delivery)
    assert _code(asked) == ("requested", "missing")
    assert asked["description"] == (
        f"{WANTED} Consent {given} version 2 does not count:"
        " its status is inactive, not active, since 2026-03-02T21:00:00+03:00."
    )


def test_the_clinic_is_told_of_what_does_not_count_as_it_comes(scenery: Scenery, waiting: Delivery) -> None:
    asked = _task(scenery, waiting)
    given = scenery.consent(RETURN, status="proposed")
    told = _task(scenery, waiting)
    assert _code(told) == _code(asked)
    assert told["description"].startswith(f"{WANTED} Consent {given} version 1 does not count: its status is proposed")
    scenery.consent(RETURN, of=given)
    assert _code(_task(scenery, waiting)) == ("completed", "there")
    assert _task(scenery, waiting)["description"] == WANTED


def test_images_ask_the_clinic_for_nothing(scenery: Scenery) -> None:
    delivery = scenery.images("1.1")
    egress.grant(scenery.core, delivery.id)
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    assert _task(scenery, delivery) is None


def _message(scenery: Scenery) -> Any:
    [notice] = recall.recall_lines(scenery.core, limit=10, is_open=False)
    found = of_clinic(scenery, "Communication", Identifier(RECALL_SYSTEM, notice.id))
    check_resource(found, ("Communication",))
    return found


@pytest.fixture
def left(scenery: Scenery) -> str:
    """The id of a consent under which images may have left."""
    given = scenery.consent(DISCLOSE)
    assert egress.grant(scenery.core, scenery.images("1.1").id) is not None
    scenery.clock.forward(minutes=5)
    return given


def test_a_letter_revokes_a_consent_with_all_that_follows(scenery: Scenery, left: str) -> None:
    assert revoking.revoke(scenery.core, left, reason="letter of 2 March", actor="cli:officer") == 2
    message = _message(scenery)
    assert message["status"] == "in-progress"
    assert message["about"][0] == {"reference": f"Consent/{left}"}
    assert message["recipient"][0]["display"] == "board"
    assert message["sent"] == "2026-03-02T09:05:00.000+00:00"
    [words] = [one["contentString"] for one in message["payload"]]
    assert words.startswith("board is to be asked to delete study-to-reviewer ")
    assert "0 of 1 objects acknowledged" in words
    assert actions(scenery)[-5:].count(("cli:officer", "consent.revoke")) == 1
    with pytest.raises(Conflict, match="inactive already"):
        revoking.revoke(scenery.core, left, reason="again", actor="cli:officer")
    with pytest.raises(NotFound):
        revoking.revoke(scenery.core, "unknown", reason="letter", actor="cli:officer")


def test_it_is_completed_when_somebody_has_asked_for_it_back(scenery: Scenery, left: str) -> None:
    scenery.consent(DISCLOSE, status="inactive", of=left)
    [notice] = recall.recall_lines(scenery.core, limit=10)
    scenery.clock.forward(hours=1)
    recalling.acknowledge(scenery.core, notice.id, actor="cli:coordinator")
    message = _message(scenery)
    assert (message["status"], message["received"]) == ("completed", "2026-03-02T10:05:00.000+00:00")
    assert message["statusReason"]["text"] == "cli:coordinator has asked the recipient to delete it"


def test_it_is_stopped_when_the_patient_permits_it_again(scenery: Scenery, left: str) -> None:
    scenery.consent(DISCLOSE, status="inactive", of=left)
    scenery.clock.forward(hours=1)
    scenery.consent(DISCLOSE, of=left)
    message = _message(scenery)
    assert message["status"] == "stopped"
    assert f"permitted again by consent {left}/3" in message["statusReason"]["text"]


def test_a_case_that_is_closed_is_told_as_well(scenery: Scenery, left: str) -> None:
    with scenery.core.database.write("test") as connection:
        cases.close(connection, scenery.case.id, scenery.clock())
    scenery.consent(DISCLOSE, status="inactive", of=left)
    assert _message(scenery)["status"] == "in-progress"


def test_of_many_reasons_the_first_are_told_and_how_many_there_are() -> None:
    reasons = [f"Consent/{number} ended." for number in range(1000)]
    assert consent_requests.description("Wanted.", reasons[:2]) == "Wanted. Consent/0 ended. Consent/1 ended."
    told = consent_requests.description("Wanted.", reasons)
    assert told.endswith("Consent/9 ended. And 990 more.")
    assert told.count("ended") == 10
