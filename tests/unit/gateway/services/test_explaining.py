"""What is explained is what is decided, for another moment too, and to whom the case belongs."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.demo import resources as demo
from gateway.domain.consent import Outcome
from gateway.domain.delivery import DeliveryKind, Flow
from gateway.domain.errors import GatewayError, NotFound, NotYet, Unprocessable
from gateway.domain.party import Identifier
from gateway.domain.record import Delivery
from gateway.services import consent_listing, egress, representation, revoking
from gateway.services.disclosure import item_of
from gateway.services.explaining import Explained, explain_to_clinic, explain_to_person
from gateway.services.resources import store_internal
from gateway.store import cases, deliveries, parties, tables
from tests.unit.gateway.services.consent_acts import GUARDIAN, actions, consent, document, instant, move, patient
from tests.unit.gateway.services.scenery import CLINIC, DATA, DISCLOSE, RETURN, REVIEWER, Scenery

OPTIN = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}
WORDY = {"coding": [OPTIN], "text": "only if my son agrees"}


def _explained(scenery: Scenery, endpoint: str = "board-node", moment: str = "") -> Explained:
    return explain_to_person(scenery.core, scenery.case.id, endpoint, moment=moment, actor="cli:officer")


def _asked(scenery: Scenery, **given: Any) -> Explained:
    with scenery.core.database.read() as connection:
        clinic = parties.party_by_name(connection, "ankara")
    asked: dict[str, Any] = {"case_id": scenery.case.id, "recipients": (REVIEWER,), "actor": "ankara-client"}
    return explain_to_clinic(scenery.core.database, clinic, **asked | {"now": scenery.clock()} | given)


def _none(_scenery: Scenery) -> None:
    """No consent is on file."""


def _given(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)


def _revoked(scenery: Scenery) -> None:
    given = scenery.consent(DISCLOSE)
    scenery.consent(DISCLOSE, status="inactive", of=given)


def _over(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE, ends=scenery.clock())
    scenery.clock.forward(days=1)


def _abroad(scenery: Scenery) -> None:
    _given(scenery)
    move(scenery, "board", "DE")


def _represented(scenery: Scenery) -> None:
    given = consent(scenery, DISCLOSE, performer=[GUARDIAN])
    representation.record(scenery.core, given, basis="court order", last="2026-04-01", actor="cli:officer")


def _merged(scenery: Scenery) -> None:
    _given(scenery)
    link = {"type": "replaced-by", "other": {"reference": f"Patient/{patient(scenery)}"}}
    patient(scenery, of=scenery.case.patient_id, number="4711", link=[link])


@pytest.mark.parametrize("prepare", [_none, _given, _revoked, _over, _abroad, _represented, _merged])
def test_it_agrees_with_the_decision_at_the_exit(scenery: Scenery, prepare: Callable[[Scenery], None]) -> None:
    prepare(scenery)
    _check_as_granted(scenery, scenery.images("1.1"))
    assert _asked(scenery) == _explained(scenery)


MADE: dict[DeliveryKind, Callable[[Scenery], Delivery]] = {
    DeliveryKind.STUDY_TO_REVIEWER: lambda scenery: scenery.images("1.1"),
    DeliveryKind.DOCUMENT_TO_REVIEWER: document,
    DeliveryKind.REPORT_TO_EHR: Scenery.report,
    DeliveryKind.REPORT_TO_PACS: Scenery.report_to_pacs,
}


@pytest.mark.parametrize("denied", ["", "ImagingStudy", "DocumentReference", "DiagnosticReport", "ServiceRequest"])
@pytest.mark.parametrize("kind", list(DeliveryKind), ids=str)
def test_it_agrees_with_the_exit_of_each_kind(scenery: Scenery, kind: DeliveryKind, denied: str) -> None:
    _permitted_without(scenery, kind.flow, denied)
    _check_as_granted(scenery, MADE[kind](scenery))


def test_a_consent_that_cannot_be_read_any_more_is_named(scenery: Scenery) -> None:
    """An earlier version took it in: no exit opens, and each says which consent it is and what is wrong with it."""
    scenery.consent(DISCLOSE)
    content = demo.consent(DATA, DISCLOSE, f"Patient/{scenery.case.patient_id}") | {"policyRule": WORDY}
    with scenery.core.database.write("test") as connection:
        kept = store_internal(connection, "ankara", content, now=scenery.clock())
    delivery = scenery.images("1.1")
    with pytest.raises(NotYet, match=rf"Consent {kept.id} version 1 cannot be read \(Consent\.policyRule\.text: "):
        egress.grant(scenery.core, delivery.id)
    with scenery.core.database.read() as connection:
        made = deliveries.decisions(connection, scenery.case.id)[-1]
    told = _explained(scenery).things[0]
    assert (made.outcome, [tuple(one) for one in made.consents]) == ("indeterminate", [(kept.id, 1)])
    assert (str(told.outcome), list(told.reasons)) == (made.outcome, made.reasons)
    [passage] = [one for one in told.passages if one.consent.id == kept.id]
    assert "cannot be read (Consent.policyRule.text" in passage.finding
    [line] = [one for one in consent_listing.consent_lines(scenery.core, scenery.case.id) if one.id == kept.id]
    assert (line.effect, line.status) == ("cannot be read", "active")
    revoking.revoke(scenery.core, kept.id, reason="letter", actor="cli:officer")
    assert egress.grant(scenery.core, delivery.id) is not None


def test_what_does_not_leave_together_is_not_decided_together(scenery: Scenery) -> None:
    """A denial of documents keeps the images from nobody: each goes, or stays, for itself."""
    _permitted_without(scenery, DISCLOSE, "DocumentReference")
    images = scenery.images("1.1")
    assert egress.grant(scenery.core, images.id) is not None
    kept = document(scenery, images)
    assert egress.grant(scenery.core, kept.id) is None
    told = _explained(scenery)
    assert {one.about.split("/")[0]: one.outcome for one in told.things} == {
        "ImagingStudy": Outcome.PERMIT,
        "DocumentReference": Outcome.DENY,
        "ServiceRequest": Outcome.PERMIT,
    }
    assert (told.outcome, told.answer) == (Outcome.DENY, "2 of 3 may leave; each is answered for itself.")


def _permitted_without(scenery: Scenery, flow: Flow, denied: str) -> None:
    """The flow is permitted, without what is of that class; '' denies nothing."""
    but = {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": denied}]}
    nested = {"provision": [but]} if denied else {}
    consent(scenery, flow, provision=demo.consent(DATA, flow, "")["provision"] | nested)


def _check_as_granted(scenery: Scenery, delivery: Delivery) -> None:
    """What is told of the thing that the delivery sends is what its exit decides."""
    is_granted = egress.grant(scenery.core, delivery.id) is not None
    with scenery.core.database.read() as connection:
        made = deliveries.decisions(connection, scenery.case.id)[-1]
        item, where = item_of(connection, scenery.case, delivery), delivery.endpoint_id
    [told] = [one for one in _explained(scenery, where).things if one.about == f"{item.resource_class}/{item.id}"]
    assert (str(told.outcome), list(told.reasons), told.valid_until) == (made.outcome, made.reasons, made.valid_until)
    assert [(one.id, one.version) for one in told.consents] == [tuple(one) for one in made.consents]
    assert is_granted is (told.outcome is Outcome.PERMIT)


@pytest.mark.parametrize("kind", list(DeliveryKind), ids=str)
def test_of_a_closed_case_it_tells_what_its_exits_do(scenery: Scenery, kind: DeliveryKind) -> None:
    """To the reviewer nothing leaves any more, whatever the consents say; the report goes back."""
    scenery.consent(kind.flow)
    delivery = MADE[kind](scenery)
    with scenery.core.database.write("test") as connection:
        cases.close(connection, scenery.case.id, instant("2026-03-02T10:00:00Z"))
    told = _explained(scenery, delivery.endpoint_id)
    is_granted = egress.grant(scenery.core, delivery.id) is not None
    assert (told.outcome, is_granted) == (Outcome.PERMIT, not told.hindrances)
    assert [one.code for one in told.hindrances] == ["closed-case"] * (kind.flow is DISCLOSE)
    if told.hindrances:
        why = "the case is closed since 2026-03-02T13:00:00+03:00: nothing goes to the reviewer any more"
        assert (told.hindrances[0].why, told.answer) == (why, f"Yes. Whatever the consents say, nothing leaves: {why}.")


def test_after_a_restore_it_tells_that_nothing_leaves(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    delivery = scenery.images("1.1")
    with scenery.core.database.write("test") as connection:
        connection.execute(tables.party.update().values(restored_at=scenery.clock()))
    told = _asked(scenery)
    assert (told.outcome, [one.code for one in told.hindrances]) == (Outcome.PERMIT, ["restored"])
    with pytest.raises(NotYet):
        egress.grant(scenery.core, delivery.id)


def test_another_moment_is_read_in_the_custodians_zone(scenery: Scenery) -> None:
    provision = demo.consent(DATA, DISCLOSE, "")["provision"] | {"period": {"end": "2026-03-31"}}
    consent(scenery, DISCLOSE, provision=provision)
    scenery.images("1.1")
    for moment, outcome in (
        ("", Outcome.PERMIT),
        ("2026-03-31", Outcome.PERMIT),
        ("2026-03-31T23:59:59+03:00", Outcome.PERMIT),
        ("2026-04-01", Outcome.DENY),
    ):
        assert _explained(scenery, moment=moment).outcome is outcome, moment
    ends = {one.valid_until for one in _explained(scenery).things}
    assert ends == {instant("2026-04-01T00:00:00+03:00")}


def test_a_report_that_is_not_there_yet_can_be_asked_about(scenery: Scenery) -> None:
    assert _explained(scenery, "ankara-ehr").outcome is Outcome.DENY
    scenery.consent(RETURN)
    assert _explained(scenery, "ankara-ehr").outcome is Outcome.PERMIT
    assert _asked(scenery, recipients=(CLINIC,), purpose="COC").outcome is Outcome.PERMIT


def test_every_question_leaves_an_audit_row_and_nothing_else(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    before = actions(scenery)
    _explained(scenery)
    _asked(scenery, recipients=(), endpoint_name="board-node")
    assert actions(scenery)[len(before) :] == [
        ("cli:officer", "consent.explain"),
        ("ankara-client", "consent.explain"),
    ]
    with scenery.core.database.read() as connection:
        assert deliveries.decisions(connection, scenery.case.id) == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"case_id": "unknown"}, NotFound),
        ({"recipients": (Identifier("https://parties.example", "nobody"),)}, Unprocessable),
        ({"recipients": (), "endpoint_name": "elsewhere"}, Unprocessable),
        ({"purpose": "HMARKT"}, Unprocessable),
    ],
)
def test_what_cannot_be_asked(scenery: Scenery, given: dict[str, object], error: type[GatewayError]) -> None:
    with pytest.raises(error):
        _asked(scenery, **given)


def test_a_clinic_learns_nothing_of_others(scenery: Scenery) -> None:
    """A reviewer that is registered and is not the case's is refused as one that never was."""
    with scenery.core.database.write("test") as connection:
        connection.execute(tables.case.update().values(reviewer_id=None))
    with pytest.raises(Unprocessable) as registered:
        _asked(scenery)
    with pytest.raises(Unprocessable) as unknown:
        _asked(scenery, recipients=(Identifier("urn:x", "y"),))
    assert str(registered.value) == str(unknown.value)
