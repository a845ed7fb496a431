"""A person looks at a list of cases: one audit row says who, when and which. A look at one is `looking.record_look`."""

from collections.abc import Sequence

from gateway.domain.people import Person
from gateway.services.core import Core
from gateway.store import audit


def record_view(core: Core, person: Person, page: str, case_ids: Sequence[str]) -> None:
    """Committed before the page is shown."""
    with core.database.write("page.view") as connection:
        audit.record(
            connection,
            at=core.now(),
            actor=person.actor,
            action="page.view",
            subject=f"page/{page}",
            details={"cases": list(case_ids)},
        )
