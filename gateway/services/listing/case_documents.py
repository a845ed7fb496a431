"""The documents of the cases."""

from gateway.domain.record import CaseDocument
from gateway.services.core import Core
from gateway.store import cases


def documents(core: Core, *, limit: int, case_id: str | None = None) -> list[CaseDocument]:
    """Newest first."""
    with core.database.read() as connection:
        return cases.documents(connection, case_id=case_id, newest=limit)
