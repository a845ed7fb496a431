"""A person ties an unmatched study to a case."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.report import Institution
from gateway.domain.work import RetryPolicy
from gateway.services.core import Core
from gateway.services.linking import link
from gateway.store import cases, tables
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHER_UID = "1.2.3.9"
STUDY_UID = "1.2.3.4"


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    """Two clinics; the first has an open case (for another study) and an unmatched study."""
    with database.write("test") as connection:
        for name in ("ankara", "izmir"):
            party: dict[str, object] = {
                "id": name,
                "kind": "clinic",
                "name": name,
                "country": "TR",
                "time_zone": "Europe/Istanbul",
            }
            connection.execute(insert(tables.party).values(party | {"created_at": NOW}))
            patient: dict[str, object] = {
                "id": f"patient-{name}",
                "party_id": name,
                "type": "Patient",
                "version": 1,
                "updated_at": NOW,
            }
            connection.execute(insert(tables.resource).values(patient))
            case: dict[str, object] = {
                "id": f"case-{name}",
                "clinic_id": name,
                "patient_id": f"patient-{name}",
                "state": "open",
            }
            case |= {"pseudonym": f"CS-{name}", "created_at": NOW}
            connection.execute(insert(tables.case).values(case))
            cases.replace_keys(
                connection,
                cases.by_id(connection, f"case-{name}"),
                [(cases.STUDY_INSTANCE_UID, OTHER_UID), (cases.ACCESSION_NUMBER, "A1")],
            )
        endpoint: dict[str, object] = {
            "id": "pacs",
            "party_id": "ankara",
            "name": "pacs",
            "role": "pacs",
            "address": {},
        }
        connection.execute(insert(tables.endpoint).values(endpoint | {"created_at": NOW}))
        study: dict[str, object] = {
            "id": "study",
            "clinic_id": "ankara",
            "endpoint_id": "pacs",
            "study_instance_uid": STUDY_UID,
        }
        study |= {"state": "unmatched", "patient_id": "1", "issuer_of_patient_id": "", "patient_names": []}
        study |= {"sex": "", "accession_number": "", "study_description": ""}
        study |= {"accession_pseudonym": "AC1", "first_received_at": NOW, "last_received_at": NOW}
        connection.execute(insert(tables.study).values(study))
    return Core(
        database=database,
        blobs=BlobDirectory(tmp_path / "blobs"),
        now=lambda: NOW,
        pseudonym_key=b"k" * 32,
        token_prefix="CS",
        quiet_period=timedelta(seconds=60),
        retry=RetryPolicy(),
        institution=Institution("centre", "", ""),
    )


def test_the_order_names_the_study_from_now_on_and_it_is_matched_anew(core: Core) -> None:
    link(core, "study", "case-ankara", actor="cli:test")
    with core.database.read() as connection:
        assert cases.keys(connection, "case-ankara", cases.LINKED_STUDY) == [STUDY_UID]
        assert cases.keys(connection, "case-ankara", cases.STUDY_INSTANCE_UID) == [OTHER_UID]
        assert cases.keys(connection, "case-ankara", cases.ACCESSION_NUMBER) == ["A1"]
        job = connection.execute(select(tables.outbox.c.kind, tables.outbox.c.subject_id)).one()
        row = connection.execute(select(tables.audit.c.action, tables.audit.c.case_id, tables.audit.c.actor)).one()
    assert tuple(job) == ("study-settle", "study")
    assert tuple(row) == ("study.linked", "case-ankara", "cli:test")


@pytest.mark.parametrize(
    ("study_id", "case_id", "error"),
    [
        ("nothing", "case-ankara", NotFound),
        ("study", "nothing", NotFound),
        ("study", "case-izmir", Conflict),
    ],
)
def test_what_cannot_be_linked(core: Core, study_id: str, case_id: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        link(core, study_id, case_id, actor="cli:test")


@pytest.mark.parametrize(
    ("table", "row_id", "state"), [("case", "case-ankara", "closed"), ("study", "study", "matched")]
)
def test_a_closed_case_and_a_matched_study_stay_as_they_are(core: Core, table: str, row_id: str, state: str) -> None:
    changed = tables.metadata.tables[table]
    with core.database.write("test") as connection:
        connection.execute(changed.update().where(changed.c.id == row_id).values(state=state))
    with pytest.raises(Conflict, match=state):
        link(core, "study", "case-ankara", actor="cli:test")
