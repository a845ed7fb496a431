"""What was destroyed."""

from gateway.domain.destruction import Destruction
from gateway.services.core import Core
from gateway.store import cases
from gateway.store import destructions as records


def destructions(core: Core, *, case_id: str | None, limit: int) -> list[Destruction]:
    """Newest first. Raises NotFound for a case that there never was."""
    with core.database.read() as connection:
        if case_id is not None:
            cases.by_id(connection, case_id)
        return records.listed(connection, case_id=case_id, limit=limit)
