"""What many do at the same moment, on both databases: a code is used once, and no attempt goes uncounted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from gateway.domain.errors import GatewayError, Throttled
from gateway.domain.people import Role, RoleGrant, Vouched
from gateway.services.core import Core
from gateway.services.listing.standstills import standstills
from gateway.services.people import delays, registry, sign_in, vouching
from gateway.store.engine import Database
from tests.core import Clock, core_over
from tests.integration.store.finished import Clinic
from tests.integration.store.overlap import overlapping
from tests.integration.store.stage import Stage
from tests.people import HERE, POLICY, Somebody

AT_ONCE = 8


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    return core_over(database, tmp_path, Clock())


def at_once(do: Callable[[], object]) -> list[str]:
    """What became of each: `done`, or the class of its error."""
    gate = Barrier(AT_ONCE)

    def run(_: int) -> str:
        gate.wait(30)
        try:
            do()
        except GatewayError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(pool.map(run, range(AT_ONCE)))


def test_a_code_that_many_use_at_once_begins_one_session(core: Core) -> None:
    ayse = Somebody(core)
    ticket = ayse.ticket()
    for code in (ayse.code(), ayse.recovery_codes[0]):
        step = partial(
            sign_in.check_second_factor,
            core,
            POLICY,
            proven=sign_in.proven_first(core, ticket),
            code=code,
            visitor=HERE,
        )
        ended = at_once(step)
        assert ended.count("done") == 1
        assert set(ended) <= {"done", sign_in.NotRight.__name__, Throttled.__name__}
        registry.unlock(core, "ayse", actor="cli:test")


def test_attempts_at_once_are_all_counted(core: Core) -> None:
    def attempt() -> object:
        return sign_in.check_password(core, POLICY, name="nobody", password="wrong", visitor=HERE)

    assert at_once(attempt) == [sign_in.NotRight.__name__] * 4 + [Throttled.__name__] * (AT_ONCE - 4)


def test_attempts_at_different_people_do_not_wait_for_each_other(core: Core) -> None:
    ended: list[str] = []

    def attempt(person_id: str) -> None:
        delays.charge(core, delays.of_second_factor(person_id))
        ended.append(person_id)

    overlapping(core.database, partial(attempt, "first"), partial(attempt, "second"))
    assert sorted(ended) == ["first", "second"]
    assert core.database.is_sqlite or ended == ["second", "first"]  # where there is one writer it waits


def test_a_providers_person_who_arrives_twice_at_once_is_one_person(core: Core) -> None:
    roles = {"coordinators": RoleGrant(Role.COORDINATOR)}
    vouched = Vouched("https://login.example", "1", ("coordinators",))
    ended = at_once(lambda: vouching.sign_in(core, POLICY, vouched, roles, visitor=HERE))
    assert ended == ["done"] * AT_ONCE
    assert len(registry.listed(core)) == 1
    assert vouching.sign_in(core, POLICY, vouched, roles, visitor=HERE).person.subject == "1"


def test_what_waits_is_told_with_its_case_the_longest_first(stage: Stage) -> None:
    clinic = Clinic(stage)
    case_ids = [clinic.order() for _ in range(2)]
    found = standstills(stage.core)
    assert {one.case_id for one in found} == set(case_ids)
    assert [one.since for one in found] == sorted(one.since for one in found)
    assert all(one.what and one.who and one.clinic == "ankara" for one in found)
