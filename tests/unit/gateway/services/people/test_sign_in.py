"""Two steps lead to a session; what fails says nothing, and slows down who fails without locking anybody out."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.errors import Forbidden, Throttled, Unauthenticated
from gateway.domain.sign_in import Hashing, Visitor
from gateway.services.core import Core
from gateway.services.people import proofs, registry, sessions, sign_in
from gateway.store import people
from gateway.store.tables import audit, person, person_session, sign_in_failure
from tests.core import Clock
from tests.people import HERE, PASSWORD, POLICY, Somebody

STRANGER = Visitor("203.0.113.9")


def failures(core: Core) -> list[Any]:
    with core.database.read() as connection:
        is_it = (audit.c.action == "user.sign-in") & (audit.c.outcome == "failure")
        return list(connection.execute(select(audit).where(is_it).order_by(audit.c.id)))


def refusal(core: Core, name: str, password: str = "wrong", visitor: Visitor = STRANGER) -> str:
    with pytest.raises(Unauthenticated) as refused:
        sign_in.check_password(core, POLICY, name=name, password=password, visitor=visitor)
    return str(refused.value)


def test_password_and_code_begin_a_session(core: Core, ayse: Somebody) -> None:
    here = ayse.signs_in()
    current = sessions.recognise(core, POLICY, here.signed_in.token)
    assert current is not None
    assert (current.person.name, current.session.address) == ("ayse", HERE.address)
    with core.database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.action == "user.sign-in")).all()
        assert [(row.actor, row.outcome, row.details["by"]) for row in rows] == [("user:ayse", "success", "totp")]
        kept = connection.execute(select(person_session)).one()
    assert here.signed_in.token not in str(tuple(kept))


def test_unknown_disabled_not_enrolled_and_wrong_are_told_alike(core: Core, ayse: Somebody) -> None:
    registry.add(core, "new", ayse_roles(core), None, actor="cli:test")
    Somebody(core, "gone")
    registry.disable(core, "gone", actor="cli:test")
    told = {refusal(core, "ayse"), refusal(core, "nobody"), refusal(core, "new"), refusal(core, "gone", PASSWORD)}
    assert told == {sign_in.NOT_RIGHT}
    assert [row.details["wrong"] for row in failures(core)] == ["password"] * 4
    assert [row.actor for row in failures(core)] == ["user:ayse", "web", "user:new", "user:gone"]


def ayse_roles(core: Core) -> Any:
    with core.database.read() as connection:
        return people.by_name(connection, "ayse").roles


def test_what_was_typed_as_a_name_is_written_nowhere(core: Core) -> None:
    refusal(core, "my secret password")
    [row] = failures(core)
    assert "secret" not in str(tuple(row))


def test_a_code_is_good_once_and_one_step_to_either_side(core: Core, ayse: Somebody, clock: Clock) -> None:
    clock.forward(minutes=5)
    code = ayse.code()
    clock.forward(seconds=30)  # the app's clock is one step behind
    ayse.signs_in(code=code)
    with pytest.raises(Unauthenticated):
        ayse.signs_in(code=code)
    clock.forward(seconds=90)
    old = ayse.code()
    clock.forward(seconds=61)
    with pytest.raises(Unauthenticated):
        ayse.signs_in(code=old)


def test_an_earlier_code_is_refused_after_a_later_one(core: Core, ayse: Somebody, clock: Clock) -> None:
    clock.forward(minutes=5)
    earlier = ayse.code()
    clock.forward(seconds=30)
    ayse.signs_in()
    with pytest.raises(Unauthenticated):
        ayse.signs_in(code=earlier)


def test_a_recovery_code_is_good_once_however_it_is_typed(core: Core, ayse: Somebody) -> None:
    code = ayse.recovery_codes[0]
    ayse.signs_in(code=f" {code.lower().replace('-', ' ')} ")
    with pytest.raises(Unauthenticated):
        ayse.signs_in(code=code)
    ayse.signs_in(code=ayse.recovery_codes[1])


def test_another_persons_code_or_ticket_is_worth_nothing(core: Core, ayse: Somebody, clock: Clock) -> None:
    other = Somebody(core, "deniz")
    clock.forward(minutes=5)
    for code in (other.code(), other.recovery_codes[0]):
        with pytest.raises(Unauthenticated):
            ayse.signs_in(code=code)
    with pytest.raises(Unauthenticated):
        sign_in.check_second_factor(
            core, POLICY, proven=sign_in.proven_first(core, "x" * 80), code=ayse.code(), visitor=HERE
        )


def test_a_ticket_ends_with_its_time_and_with_the_password(core: Core, ayse: Somebody, clock: Clock) -> None:
    ticket = ayse.ticket()
    registry.reset(core, "ayse", actor="cli:test")
    with pytest.raises(Unauthenticated):
        sign_in.check_second_factor(
            core, POLICY, proven=sign_in.proven_first(core, ticket), code=ayse.code(), visitor=HERE
        )
    other = Somebody(core, "deniz")
    ticket = other.ticket()
    clock.forward(minutes=10)
    with pytest.raises(Unauthenticated, match="took too long"):
        sign_in.check_second_factor(
            core, POLICY, proven=sign_in.proven_first(core, ticket), code=other.code(), visitor=HERE
        )


@pytest.mark.parametrize("name", ["ayse", "nobody"])
def test_who_fails_waits_longer_each_time_and_never_for_ever(
    core: Core, ayse: Somebody, clock: Clock, name: str
) -> None:
    for _ in range(4):
        refusal(core, name)
    waits = []
    for _ in range(8):
        with pytest.raises(Throttled) as delayed:
            sign_in.check_password(core, POLICY, name=name, password="wrong", visitor=STRANGER)
        assert delayed.value.retry_after_s is not None
        waits.append(delayed.value.retry_after_s)
        clock.forward(seconds=waits[-1])
        refusal(core, name)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [row.details["delay_s"] for row in failures(core)][3:7] == [1, 2, 4, 8]


def test_a_stranger_does_not_delay_who_was_here_before(core: Core, ayse: Somebody, clock: Clock) -> None:
    known = Visitor(STRANGER.address, ayse.signs_in().device)
    clock.forward(minutes=5)
    for _ in range(4):
        refusal(core, "ayse")
    with pytest.raises(Throttled):
        ayse.ticket(visitor=STRANGER)
    assert ayse.signs_in(visitor=known).signed_in.person.name == "ayse"
    with pytest.raises(Throttled):  # and it makes nothing easier for the stranger
        ayse.ticket(visitor=STRANGER)


def test_many_names_from_one_address_are_delayed_too(core: Core) -> None:
    for number in range(20):
        refusal(core, f"user{number}")
    with pytest.raises(Throttled):
        sign_in.check_password(core, POLICY, name="another", password="wrong", visitor=STRANGER)
    refusal(core, "another", visitor=Visitor("198.51.100.1"))


def test_guessing_codes_is_slow_and_an_administrator_ends_the_wait(core: Core, ayse: Somebody, clock: Clock) -> None:
    for _ in range(4):
        with pytest.raises(Unauthenticated):
            ayse.signs_in(code="abc")
    with pytest.raises(Throttled):
        ayse.signs_in()
    registry.unlock(core, "ayse", actor="cli:test")
    ayse.signs_in()
    with core.database.read() as connection:
        assert connection.execute(select(audit).where(audit.c.action == "user.unlock")).one().actor == "cli:test"


def test_a_hash_of_other_costs_is_made_anew_at_the_sign_in(core: Core, ayse: Somebody) -> None:
    dearer = replace(POLICY, hashing=Hashing(memory_kib=16, passes=2))
    ayse.policy = dearer
    ayse.signs_in(code=ayse.recovery_codes[0])
    with core.database.read() as connection:
        kept = connection.execute(select(person.c.password_hash)).scalar_one()
    assert kept.startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert not proofs.needs_rehash(kept, dearer.hashing)
    ayse.signs_in(code=ayse.recovery_codes[1])


def test_without_local_accounts_nobody_signs_in_with_a_password_or_stays(core: Core, ayse: Somebody) -> None:
    token = ayse.signs_in().signed_in.token
    closed = replace(POLICY, has_local_accounts=False)
    assert sessions.recognise(core, closed, token) is None
    ayse.policy = closed
    with pytest.raises(Forbidden):
        ayse.ticket()


def test_failures_of_more_than_a_day_ago_are_removed_when_others_fail(core: Core, clock: Clock) -> None:
    for number in range(3):
        refusal(core, f"guess{number}")
    clock.forward(days=1, seconds=1)
    refusal(core, "guess0")
    refusal(core, "another")
    with core.database.read() as connection:
        counts = connection.execute(select(sign_in_failure.c.failures)).scalars().all()
    assert sorted(counts) == [1, 1, 2]  # two names, and the address
