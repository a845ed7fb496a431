"""Issuer and subject are the person, the provider's word at each sign-in is the roles."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, select

from gateway.domain.errors import Conflict, Forbidden, Permanent
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.domain.people import Role, RoleGrant, Vouched
from gateway.services.core import Core
from gateway.services.people import registry, sessions, vouching
from gateway.services.people.sessions import SignedIn
from gateway.store import parties, people
from gateway.store.people import Credentials
from gateway.store.tables import audit
from tests.people import HERE, POLICY, Somebody

ISSUER = "https://login.example"
ROLES = {
    "coordinators": RoleGrant(Role.COORDINATOR),
    "officers": RoleGrant(Role.PRIVACY_OFFICER),
    "board": RoleGrant(Role.REVIEWER, "board"),
    "other": RoleGrant(Role.REVIEWER, "other"),
    "lost": RoleGrant(Role.REVIEWER, "lost"),
}


@pytest.fixture(autouse=True)
def _parties(core: Core) -> None:
    with core.database.write("test.parties") as connection:
        for name in ("board", "other"):
            party = Party(name, PartyKind.REVIEWER, name, (Identifier("urn:x", name),), "TR", "Europe/Istanbul")
            parties.add_party(connection, party, now=core.now())


OURS = replace(POLICY, issuer=ISSUER)


def signs_in(core: Core, subject: str, *groups: str, issuer: str = ISSUER) -> SignedIn:
    return vouching.sign_in(core, OURS, Vouched(issuer, subject, groups), ROLES, visitor=HERE)


def test_the_first_sign_in_makes_a_person_known_and_the_second_finds_them(core: Core) -> None:
    first = signs_in(core, "1", "coordinators", "everybody")
    again = signs_in(core, "1", "coordinators")
    assert first.person.id == again.person.id
    assert sessions.recognise(core, OURS, first.token) is not None
    [line] = registry.listed(core)
    assert (line.issuer, line.subject, line.roles, line.state) == (ISSUER, "1", ("coordinator",), "enabled")


def test_another_issuer_or_subject_is_another_person(core: Core) -> None:
    Somebody(core, "coordinator1")
    ids = {
        signs_in(core, subject, "coordinators", issuer=issuer).person.id
        for subject, issuer in (("1", ISSUER), ("2", ISSUER), ("1", "https://else.example"), ("coordinator1", ISSUER))
    }
    assert len(ids) == 4
    assert len(registry.listed(core)) == 5


def test_other_groups_are_other_roles_and_end_earlier_sessions(core: Core) -> None:
    earlier = signs_in(core, "1", "coordinators")
    later = signs_in(core, "1", "officers", "board")
    assert later.person.roles == {Role.PRIVACY_OFFICER, Role.REVIEWER}
    assert later.person.party_id == "board"
    assert sessions.recognise(core, OURS, earlier.token) is None
    with core.database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.action.in_(["user.add", "user.roles"]))).all()
    assert [(row.action, row.actor) for row in rows] == [
        ("user.add", later.person.actor),
        ("user.roles", later.person.actor),
    ]


def test_no_role_or_two_parties_or_an_unknown_one_lets_nobody_in(core: Core) -> None:
    with pytest.raises(Forbidden):
        signs_in(core, "1", "everybody")
    with pytest.raises(Forbidden):
        signs_in(core, "1", "board", "other")
    with pytest.raises(Permanent):
        signs_in(core, "1", "lost")
    assert registry.listed(core) == []
    with core.database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.action == "user.sign-in").order_by(audit.c.id)).all()
    assert [(row.outcome, row.actor, row.details["wrong"]) for row in rows] == [
        ("failure", "web", "your identity provider gives you no role here"),
        ("failure", "web", "your identity provider makes you a reviewer of several parties; one person has one"),
        ("failure", "web", "the settings [oidc] roles name a reviewing party that is not registered"),
    ]


def test_here_they_can_be_disabled_and_nothing_else(core: Core) -> None:
    name = signs_in(core, "1", "coordinators").person.name
    with pytest.raises(Conflict):
        registry.set_roles(core, name, [Role.ADMINISTRATOR], None, actor="cli:test")
    with pytest.raises(Conflict):
        registry.reset(core, name, actor="cli:test")
    registry.disable(core, name, actor="cli:test")
    with pytest.raises(Forbidden):
        signs_in(core, "1", "coordinators")


@pytest.mark.parametrize("issuer", ["", "https://else.example"])
def test_a_session_ends_with_the_word_of_its_provider(core: Core, issuer: str) -> None:
    token = signs_in(core, "1", "coordinators").token
    assert sessions.recognise(core, OURS, token) is not None
    assert sessions.recognise(core, replace(OURS, issuer=issuer), token) is None


def test_who_is_disabled_while_signing_in_gets_no_session(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    person, lock = signs_in(core, "1", "coordinators").person, people.lock

    def disabled_first(connection: Connection, person_id: str) -> Credentials | None:
        people.set_disabled(connection, person_id, core.now())
        return lock(connection, person_id)

    monkeypatch.setattr(people, "lock", disabled_first)
    with pytest.raises(Forbidden, match="disabled"):
        signs_in(core, "1", "coordinators")
    assert len(sessions.listed(core, OURS, person)) == 1


def test_two_first_sign_ins_at_once_both_succeed(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    first, find = signs_in(core, "1", "coordinators").person, people.find_by_subject
    seen: list[str] = []

    def not_yet(connection: Connection, issuer: str, subject: str) -> Credentials | None:
        seen.append(subject)
        return find(connection, issuer, subject) if len(seen) > 1 else None

    monkeypatch.setattr(people, "find_by_subject", not_yet)
    assert signs_in(core, "1", "coordinators").person.id == first.id
    assert len(seen) == 2
