"""Lists of documents name nobody; what a document is called is shown to a person, and that is kept."""

import json
from dataclasses import asdict
from datetime import date

import pytest
from sqlalchemy import select

from gateway.domain.case import DocumentState
from gateway.domain.errors import Gone
from gateway.domain.record import CaseDocument
from gateway.services import documents, listing
from gateway.store import cases
from gateway.store.tables import audit, document
from tests.unit.gateway.services.scenery import Scenery

TITLE = "Pathology of Ayşe Öztürk"


@pytest.fixture
def document_id(scenery: Scenery) -> str:
    """A document of the case that waits for a person."""
    sha256 = scenery.core.blobs.put(b"%PDF-1.7")
    waiting = CaseDocument(
        id="document-1",
        case_id=scenery.case.id,
        state=DocumentState.WAITING,
        title=TITLE,
        loinc="60567-5",
        clinical_date=date(2026, 2, 1),
        original_sha256=sha256,
        cleared_sha256=None,
        cleared_by=None,
        created_at=scenery.clock(),
        cleared_at=None,
    )
    with scenery.core.database.write("test") as connection:
        cases.add_document(connection, waiting)
    return waiting.id


def test_the_list_tells_kind_and_day_and_no_title(scenery: Scenery, document_id: str) -> None:
    [line] = listing.documents(scenery.core, limit=10)
    assert (line.id, line.loinc, line.clinical_date) == (document_id, "60567-5", date(2026, 2, 1))
    assert "Öztürk" not in json.dumps(asdict(line), default=str, ensure_ascii=False)


def test_a_title_is_shown_to_a_person_and_that_is_kept(scenery: Scenery, document_id: str) -> None:
    assert documents.shown(scenery.core, document_id, actor="cli:nurse").title == TITLE
    with scenery.core.database.read() as connection:
        row = connection.execute(select(audit).where(audit.c.action == "document.shown")).one()
    assert (row.actor, row.case_id, row.subject) == ("cli:nurse", scenery.case.id, f"document/{document_id}")


def test_of_what_was_destroyed_no_title_is_left_to_show(scenery: Scenery, document_id: str) -> None:
    with scenery.core.database.write("test") as connection:
        connection.execute(document.update().values(title="", original_sha256=""))
    with pytest.raises(Gone):
        documents.shown(scenery.core, document_id, actor="cli:nurse")
