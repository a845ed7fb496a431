"""An attempt to sign in that is refused leaves one row: of a stranger, and so with what was wrong alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from flask import g

from gateway.domain.errors import Invalid, Unauthenticated
from gateway.services.people.sign_in import record_refused_attempt
from gateway.web.people.frame import Visit


@contextmanager
def refusal_recorded(visit: Visit, by: str, wrong: str) -> Iterator[None]:
    """What is refused here leaves the row of a sign-in that failed; `by` and `wrong` are codes of ours."""
    try:
        yield
    except (Unauthenticated, Invalid):
        record = partial(record_refused_attempt, visit.desk.core, by, wrong, visit.visitor)
        visit.edge.admission.denials.leave(record, visit.visitor.address, now=visit.desk.core.now())
        g.is_refusal_recorded = True
        raise
