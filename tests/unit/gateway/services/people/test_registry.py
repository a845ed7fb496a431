"""Who is added, changed, disabled and reset, what ends with it, and what the audit trail says of it."""

from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.errors import Conflict, Invalid, NotFound, Unauthenticated
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.domain.people import Role
from gateway.services.core import Core
from gateway.services.people import enrolment, registry, sessions
from gateway.store import parties
from gateway.store.tables import audit, person, recovery_code
from tests.core import Clock
from tests.people import PASSWORD, POLICY, Somebody

BY = "cli:test"


@pytest.fixture(autouse=True)
def _parties(core: Core) -> None:
    with core.database.write("test.parties") as connection:
        for name, kind in (("board", PartyKind.REVIEWER), ("ankara", PartyKind.CLINIC)):
            party = Party(name, kind, name, (Identifier("urn:x", name),), "TR", "Europe/Istanbul")
            parties.add_party(connection, party, now=core.now())


def trail(core: Core, action: str) -> list[Any]:
    with core.database.read() as connection:
        return list(connection.execute(select(audit).where(audit.c.action == action).order_by(audit.c.id)))


def test_a_new_user_has_a_code_that_nobody_can_read_again(core: Core) -> None:
    invitation = registry.add(core, "deniz", [Role.REVIEWER, Role.COORDINATOR], "board", actor=BY)
    [line] = registry.listed(core)
    assert (line.name, line.roles, line.party, line.state) == ("deniz", ("coordinator", "reviewer"), "board", "invited")
    [row] = trail(core, "user.add")
    assert (row.actor, row.subject) == (BY, f"user/{line.id}")
    with core.database.read() as connection:
        kept = str([tuple(one) for table in (person, audit) for one in connection.execute(select(table))])
    assert invitation.code not in kept
    assert invitation.code not in repr(invitation)


@pytest.mark.parametrize(
    ("name", "roles", "party", "error"),
    [
        ("Deniz", [Role.COORDINATOR], None, Invalid),
        ("deniz", [], None, Invalid),
        ("deniz", [Role.REVIEWER], None, Invalid),
        ("deniz", [Role.COORDINATOR], "board", Invalid),
        ("deniz", [Role.REVIEWER], "nobody", NotFound),
        ("deniz", [Role.REVIEWER], "ankara", Conflict),
        ("ayse", [Role.COORDINATOR], None, Conflict),
    ],
    ids=["name", "no-role", "no-party", "party", "unknown", "clinic", "taken"],
)
def test_what_does_not_fit_adds_nobody(
    core: Core, ayse: Somebody, name: str, roles: list[Role], party: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        registry.add(core, name, roles, party, actor=BY)
    assert [one.name for one in registry.listed(core)] == ["ayse"]


def test_other_roles_end_the_sessions_and_the_same_ones_are_a_conflict(core: Core, ayse: Somebody) -> None:
    token = ayse.signs_in().signed_in.token
    with pytest.raises(Conflict):
        registry.set_roles(core, "ayse", [Role.COORDINATOR], None, actor=BY)
    assert sessions.recognise(core, POLICY, token) is not None
    registry.set_roles(core, "ayse", [Role.PRIVACY_OFFICER], None, actor=BY)
    assert sessions.recognise(core, POLICY, token) is None
    [row] = trail(core, "user.roles")
    assert (row.details["before"], row.details["roles"]) == (["coordinator"], ["privacy-officer"])


def test_who_is_disabled_is_out_and_in_again_when_enabled(core: Core, ayse: Somebody) -> None:
    token = ayse.signs_in(code=ayse.recovery_codes[0]).signed_in.token
    registry.disable(core, "ayse", actor=BY)
    assert sessions.recognise(core, POLICY, token) is None
    with pytest.raises(Unauthenticated):
        ayse.signs_in(code=ayse.recovery_codes[1])
    with pytest.raises(Conflict):
        registry.disable(core, "ayse", actor=BY)
    registry.enable(core, "ayse", actor=BY)
    ayse.signs_in(code=ayse.recovery_codes[1])
    with pytest.raises(Conflict):
        registry.enable(core, "ayse", actor=BY)
    assert trail(core, "user.disable")[0].details == {"sessions_ended": 1}


def test_after_a_reset_nothing_of_before_is_good(core: Core, ayse: Somebody) -> None:
    token, earlier = ayse.signs_in().signed_in.token, ayse.recovery_codes
    invitation = registry.reset(core, "ayse", actor=BY)
    assert registry.shown(core, "ayse").state == "invited"
    assert sessions.recognise(core, POLICY, token) is None
    with pytest.raises(Unauthenticated):
        ayse.ticket()
    with core.database.read() as connection:
        assert connection.execute(select(recovery_code)).all() == []
    ayse.enrol(invitation.code)
    ayse.signs_in()
    with pytest.raises(Unauthenticated):
        ayse.signs_in(code=earlier[0])


def test_a_code_to_enrol_is_good_once_and_for_three_days(core: Core, clock: Clock) -> None:
    invitation = registry.add(core, "deniz", [Role.COORDINATOR], None, actor=BY)
    clock.forward(days=3)
    with pytest.raises(Unauthenticated):
        enrolment.choose_password(core, POLICY, code=invitation.code, password=PASSWORD)
    renewed = registry.reset(core, "deniz", actor=BY)
    first = enrolment.choose_password(core, POLICY, code=renewed.code, password=PASSWORD)
    second = enrolment.choose_password(core, POLICY, code=renewed.code, password="another quiet river")
    codes = enrolment.finish(core, POLICY, ticket=first.ticket, code=Somebody.app(first.secret, core.now()))
    assert len(set(codes)) == 10
    with pytest.raises(Unauthenticated):
        enrolment.finish(core, POLICY, ticket=second.ticket, code=Somebody.app(second.secret, core.now()))
    assert registry.shown(core, "deniz").state == "enabled"
    assert [row.actor for row in trail(core, "user.enrol")] == ["user:deniz"]
