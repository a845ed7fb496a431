"""What is explained is what is decided, for another moment too, and to whom the case belongs."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.demo import resources as demo
from gateway.domain.consent import Outcome
from gateway.domain.errors import GatewayError, NotFound, Unprocessable
from gateway.domain.party import Identifier
from gateway.services import egress, representation
from gateway.services.explaining import Explained, explain_to_clinic, explain_to_person
from gateway.store import deliveries, parties, tables
from tests.unit.gateway.services.consent_acts import GUARDIAN, actions, consent, instant, move, patient
from tests.unit.gateway.services.scenery import CLINIC, DATA, DISCLOSE, RETURN, REVIEWER, Scenery


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
    delivery = scenery.images("1.1")
    egress.grant(scenery.core, delivery.id)
    with scenery.core.database.read() as connection:
        made = deliveries.decisions(connection, scenery.case.id)[-1]
    told = _explained(scenery)
    assert (str(told.outcome), list(told.reasons), told.valid_until) == (made.outcome, made.reasons, made.valid_until)
    assert told.consents == tuple(f"Consent/{one}/_history/{version}" for one, version in made.consents)
    assert _asked(scenery) == told


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
    assert _explained(scenery).valid_until == instant("2026-04-01T00:00:00+03:00")


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
