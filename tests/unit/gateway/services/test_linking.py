"""A person ties an unmatched study to a case."""

import pytest
from sqlalchemy import select

from gateway.domain.case import CaseState
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.ids import new_id
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.domain.record import Case
from gateway.services.case_finding import find_case
from gateway.services.linking import link
from gateway.services.quarantine import reject
from gateway.services.resources import store_internal
from gateway.store import cases, parties, studies, tables
from gateway.store.studies import Place
from tests.core import START
from tests.unit.gateway.services.scenery import DATA, Scenery

OTHER_UID = "1.2.3.9"
ACTOR = "cli:test"


@pytest.fixture
def study_id(scenery: Scenery) -> str:
    """Unmatched, because the order names another one."""
    keys = [(cases.STUDY_INSTANCE_UID, OTHER_UID), (cases.ACCESSION_NUMBER, "A1")]
    with scenery.core.database.write("test") as connection:
        cases.replace_keys(connection, scenery.case, keys)
    return scenery.study("unmatched")


@pytest.fixture
def case_elsewhere(scenery: Scenery) -> str:
    """An open case of another clinic."""
    izmir = Party("izmir", PartyKind.CLINIC, "izmir", (Identifier("urn:oid:1.2", "1"),), "TR", "Europe/Istanbul")
    with scenery.core.database.write("test") as connection:
        parties.add_party(connection, izmir, now=START)
        patient = store_internal(connection, izmir.id, {"resourceType": "Patient"}, now=START)
        case = Case(new_id(), izmir.id, None, patient.id, "CS-2", CaseState.OPEN, START)
        cases.add(connection, case)
    return case.id


def test_the_order_names_the_study_from_now_on_and_it_is_matched_anew(scenery: Scenery, study_id: str) -> None:
    link(scenery.core, study_id, scenery.case.id, actor=ACTOR)
    with scenery.core.database.read() as connection:
        assert cases.keys(connection, scenery.case.id, cases.LINKED_STUDY) == [DATA.study_instance_uid]
        assert cases.keys(connection, scenery.case.id, cases.STUDY_INSTANCE_UID) == [OTHER_UID]
        assert cases.keys(connection, scenery.case.id, cases.ACCESSION_NUMBER) == ["A1"]
        job = connection.execute(select(tables.outbox.c.kind, tables.outbox.c.subject_id)).one()
        row = connection.execute(select(tables.audit.c.action, tables.audit.c.case_id, tables.audit.c.actor)).one()
    assert tuple(job) == ("study-settle", study_id)
    assert tuple(row) == ("study.linked", scenery.case.id, ACTOR)


def test_what_is_not_there_is_not_linked(scenery: Scenery, study_id: str) -> None:
    with pytest.raises(NotFound):
        link(scenery.core, "nothing", scenery.case.id, actor=ACTOR)
    with pytest.raises(NotFound):
        link(scenery.core, study_id, "nothing", actor=ACTOR)


def test_a_case_of_another_clinic_is_not_linked(scenery: Scenery, study_id: str, case_elsewhere: str) -> None:
    with pytest.raises(Conflict, match="another clinic"):
        link(scenery.core, study_id, case_elsewhere, actor=ACTOR)


@pytest.mark.parametrize(("table", "state"), [("case", "closed"), ("study", "matched")])
def test_a_closed_case_and_a_matched_study_stay_as_they_are(
    scenery: Scenery, study_id: str, table: str, state: str
) -> None:
    changed = tables.metadata.tables[table]
    row_id = scenery.case.id if table == "case" else study_id
    with scenery.core.database.write("test") as connection:
        connection.execute(changed.update().where(changed.c.id == row_id).values(state=state))
    with pytest.raises(Conflict, match=state):
        link(scenery.core, study_id, scenery.case.id, actor=ACTOR)


def test_the_last_link_counts_and_the_others_are_gone(scenery: Scenery, study_id: str) -> None:
    meant = Case(new_id(), "ankara", None, scenery.case.patient_id, "CS-3", CaseState.OPEN, START)
    with scenery.core.database.write("test") as connection:
        cases.add(connection, meant)
    for case_id in (scenery.case.id, scenery.case.id, meant.id, meant.id):
        link(scenery.core, study_id, case_id, actor=ACTOR)
    with scenery.core.database.read() as connection:
        found = find_case(connection, studies.by_id(connection, study_id))
        assert cases.keys(connection, scenery.case.id, cases.LINKED_STUDY) == []
    assert (found.case, found.because) == (meant, "a person's link")


def test_a_link_goes_with_the_identity_that_a_person_rejects(scenery: Scenery, study_id: str) -> None:
    link(scenery.core, study_id, scenery.case.id, actor=ACTOR)
    with scenery.core.database.write("test") as connection:
        place = Place(scenery.case.id, study_id, None)
        entry_id = studies.put_in_quarantine(connection, "identity", "birth date", place, now=START)
    reject(scenery.core, entry_id, actor=ACTOR)
    with scenery.core.database.read() as connection:
        assert cases.keys(connection, scenery.case.id, cases.LINKED_STUDY) == []
