"""Sessions end when they should; passwords and recovery codes change for who proves it; what is sealed stays so."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.domain import hooks
from gateway.domain.errors import Forbidden, Invalid, NotFound, Throttled, Unauthenticated
from gateway.domain.sign_in import Visitor
from gateway.services.core import Core
from gateway.services.people import account, proofs, registry, sessions, tickets
from gateway.services.people.sealing import seal, unseal
from gateway.services.people.sessions import Current
from gateway.services.people.tickets import TicketKind
from gateway.store.tables import audit, person, person_session
from tests.core import Clock
from tests.people import HERE, PASSWORD, POLICY, Somebody


def current(core: Core, token: str) -> Current:
    found = sessions.recognise(core, POLICY, token)
    assert found is not None
    return found


def test_a_session_lives_while_it_is_used_and_twelve_hours_at_the_most(
    core: Core, ayse: Somebody, clock: Clock
) -> None:
    token = ayse.signs_in().signed_in.token
    for _ in range(24):
        clock.forward(minutes=29, seconds=59)
        current(core, token)
    clock.forward(seconds=24)
    assert sessions.recognise(core, POLICY, token) is None


def test_a_session_that_is_not_used_ends_and_its_row_goes_with_the_next_sign_in(
    core: Core, ayse: Somebody, clock: Clock
) -> None:
    token = ayse.signs_in().signed_in.token
    clock.forward(minutes=30)
    assert sessions.recognise(core, POLICY, token) is None
    ayse.signs_in()
    with core.database.read() as connection:
        assert len(connection.execute(select(person_session)).all()) == 1


def test_signing_in_again_ends_the_session_of_that_browser_alone(core: Core, ayse: Somebody, clock: Clock) -> None:
    first = ayse.signs_in().signed_in.token
    elsewhere = ayse.signs_in(code=ayse.recovery_codes[0]).signed_in.token
    second = ayse.signs_in(code=ayse.recovery_codes[1], replaced=first).signed_in.token
    assert sessions.recognise(core, POLICY, first) is None
    assert len(sessions.listed(core, POLICY, current(core, second).person)) == 2
    sessions.end(core, current(core, second), current(core, elsewhere).session.id)
    assert sessions.recognise(core, POLICY, elsewhere) is None
    other = Somebody(core, "deniz").signs_in().signed_in.token
    with pytest.raises(NotFound):
        sessions.end(core, current(core, other), current(core, second).session.id)
    sessions.sign_out(core, current(core, second))
    assert sessions.recognise(core, POLICY, second) is None


def test_a_new_password_takes_the_earlier_one_and_ends_every_session(core: Core, ayse: Somebody) -> None:
    signed_in = ayse.signs_in()
    here, chosen = current(core, signed_in.signed_in.token), "nine quiet rivers"
    with pytest.raises(Unauthenticated):
        account.change_password(core, POLICY, here, earlier="wrong", chosen=chosen, visitor=HERE)
    with pytest.raises(Invalid):
        account.change_password(core, POLICY, here, earlier=PASSWORD, chosen="password1234", visitor=HERE)
    begun = account.change_password(core, POLICY, here, earlier=PASSWORD, chosen=chosen, visitor=HERE)
    assert sessions.recognise(core, POLICY, signed_in.signed_in.token) is None
    assert current(core, begun.token).person.name == "ayse"
    with pytest.raises(Unauthenticated):
        ayse.ticket(visitor=Visitor(HERE.address, signed_in.device))
    ayse.ticket(password=chosen)
    with core.database.read() as connection:
        assert connection.execute(select(audit.c.actor).where(audit.c.action == "user.password")).all() == [
            ("user:ayse",)
        ]


def test_guessing_the_password_inside_a_session_is_slow(core: Core, ayse: Somebody) -> None:
    here = current(core, ayse.signs_in().signed_in.token)
    for _ in range(4):
        with pytest.raises(Unauthenticated):
            account.change_password(core, POLICY, here, earlier="wrong", chosen="nine quiet rivers", visitor=HERE)
    with pytest.raises(Throttled):
        account.change_password(core, POLICY, here, earlier=PASSWORD, chosen="nine quiet rivers", visitor=HERE)


def test_new_recovery_codes_take_the_place_of_the_earlier_ones(core: Core, ayse: Somebody, clock: Clock) -> None:
    here = current(core, ayse.signs_in().signed_in.token)
    with pytest.raises(Unauthenticated):  # the code that was used to sign in
        account.renew_recovery_codes(core, POLICY, here, code=ayse.code(), visitor=HERE)
    clock.forward(seconds=30)
    codes = account.renew_recovery_codes(core, POLICY, here, code=ayse.code(), visitor=HERE)
    assert not set(codes) & set(ayse.recovery_codes)
    with pytest.raises(Unauthenticated):
        ayse.signs_in(code=ayse.recovery_codes[0])
    ayse.signs_in(code=codes[0])


def test_no_secret_stands_readable_in_the_database(core: Core, ayse: Somebody) -> None:
    with core.database.read() as connection:
        row = connection.execute(select(person)).one()
    assert ayse.secret.encode() not in bytes(row.totp_sealed)
    assert proofs.unseal_secret(core, row.id, row.totp_sealed) == ayse.secret
    with pytest.raises(Invalid):  # moved to another person
        proofs.unseal_secret(core, "another", row.totp_sealed)


def test_what_is_sealed_is_opened_by_its_key_and_for_its_purpose(core: Core) -> None:
    sealed = seal(b"k" * 32, "one", b"plain")
    assert unseal(b"k" * 32, "one", sealed) == b"plain"
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for key, purpose, value in ((b"l" * 32, "one", sealed), (b"k" * 32, "two", sealed), (b"k" * 32, "one", changed)):
        with pytest.raises(Invalid):
            unseal(key, purpose, value)
    for short in (b"", b"x", sealed[:12]):
        with pytest.raises(Invalid):
            unseal(b"k" * 32, "one", short)


@pytest.mark.parametrize("ticket", ["", "x", "é", "AAAA" * 2000, "%00"], ids=["none", "short", "letter", "long", "nul"])
def test_a_ticket_that_is_none_is_refused(core: Core, ticket: str) -> None:
    with pytest.raises(Unauthenticated):
        tickets.read(core, TicketKind.ENROLMENT, ticket)


def test_a_ticket_of_one_step_is_none_for_another(core: Core) -> None:
    ticket = tickets.issue(core, TicketKind.ENROLMENT, {"a": "b"})
    assert tickets.read(core, TicketKind.ENROLMENT, ticket) == {"a": "b"}
    with pytest.raises(Unauthenticated):
        tickets.read(core, TicketKind.SECOND_FACTOR, ticket)


@pytest.mark.parametrize("change", ["password", "codes"])
def test_who_is_disabled_meanwhile_changes_nothing_and_gets_no_session(core: Core, ayse: Somebody, change: str) -> None:
    signed_in = current(core, ayse.signs_in().signed_in.token)
    later = ayse.code(core.now() + timedelta(seconds=30))

    def meet(hook: str) -> None:
        if hook == "user.attempt.after_commit":
            registry.disable(core, ayse.name, actor="cli:test")

    hooks.observe(meet)
    try:
        with pytest.raises((Forbidden, Unauthenticated)):
            if change == "password":
                account.change_password(
                    core, POLICY, signed_in, earlier=PASSWORD, chosen="another long one", visitor=HERE
                )
            else:
                account.renew_recovery_codes(core, POLICY, signed_in, code=later, visitor=HERE)
    finally:
        hooks.forget(meet)
    registry.enable(core, ayse.name, actor="cli:test")
    assert sessions.listed(core, POLICY, signed_in.person) == []
    assert ayse.ticket()
