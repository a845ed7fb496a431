"""A reviewer's read is killed around its grant: what was not committed was shown to nobody, what was is on record."""

from functools import partial
from pathlib import Path

import pytest

from gateway.demo import resources as demo
from gateway.domain.caller import Caller
from gateway.services import review
from gateway.services.review_grant import Reading
from gateway.store import audit, cases
from tests.acceptance.kill_points import BY_A_READER, hooks
from tests.forked import kill_at, on_its_databases
from tests.grants import read_grants
from tests.hooks import hooks_of
from tests.integration.store.stage import Stage

ROOT = Path(__file__).parents[3]


def test_the_hooks_are_those_of_the_code() -> None:
    known = {f"{hook.name} {hook.what}" for hook in hooks_of(ROOT) if hook.module == "gateway.services.review_grant"}
    assert known == set(BY_A_READER)


@on_its_databases
@pytest.mark.parametrize("hook", hooks(BY_A_READER))
def test_killed_at_its_grant_it_was_granted_or_not_and_the_next_one_is_answered(stage: Stage, hook: str) -> None:
    posted = stage.post(demo.clinic_bundle(stage.case_data(), b"%PDF-1.7 a pathology report"))
    [case_id] = [one.id for one in posted if one.type == "ServiceRequest"]
    database = stage.core.database
    with database.read() as connection:
        pseudonym = cases.by_id(connection, case_id).pseudonym
    reading = Reading(database, stage.core.now, stage.core.pseudonym_key)
    ask = partial(review.read, reading, Caller("reviewer", stage.reviewer), "ServiceRequest", pseudonym)

    kill_at(hook, ask, database=database)
    _check_granted(stage, case_id, int(hook.endswith("after_commit")))
    assert ask().id == pseudonym
    _check_granted(stage, case_id, 1 + int(hook.endswith("after_commit")))


def _check_granted(stage: Stage, case_id: str, expected: int) -> None:
    with stage.core.database.read() as connection:
        grants = read_grants(connection, case_id)
        rows = audit.of_case(connection, case_id, actions=["read.granted"])
    assert len(grants) == expected
    assert [row.details["grant"] for row in rows] == [grant.id for grant in grants]
