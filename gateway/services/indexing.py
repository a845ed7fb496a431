"""What resources are found by is made good where a program of the previous version stored or destroyed them.

That is nearly always nothing: all of a party's resources once after an upgrade, and some while such a program still
runs. A recurring job does it for everybody; a search does a little of it, and answers only once its type is whole.
"""

from gateway.domain.errors import NotYet
from gateway.domain.work import Job
from gateway.services.core import Core
from gateway.services.recurring import put_back
from gateway.store import resource_index
from gateway.store.engine import Database

AT_ONCE = 500
"""Resources in one transaction, in which nobody else writes resources of that party."""
_BATCHES_OF_A_SEARCH = 2
_BATCHES_OF_A_JOB = 20
_AGAIN_AFTER_S = 10.0


def catch_up(database: Database, party_id: str, resource_type: str) -> None:
    """Before a search. Raises NotYet where it is too much for one request; the next one goes on from there."""
    with database.read() as connection:
        is_behind = resource_index.is_behind(connection, party_id, resource_type)
    for _ in range(_BATCHES_OF_A_SEARCH):
        if not is_behind:
            return
        with database.write("fhir.index") as connection:
            is_behind = resource_index.catch_up(connection, party_id, resource_type, at_most=AT_ONCE)
    if is_behind:
        raise NotYet("what is stored is being indexed after an upgrade", retry_after_s=_AGAIN_AFTER_S)


def index_due(core: Core, job: Job) -> None:
    """Do some of what is left of all parties, and forget what destroyed resources were found by. Recurring."""
    put_back(core, job.kind, is_more=not _is_all_done(core.database))


def _is_all_done(database: Database) -> bool:
    for _ in range(_BATCHES_OF_A_JOB):
        with database.read() as connection:
            waiting = resource_index.first_waiting(connection)
            is_any_left = resource_index.is_any_left_behind(connection)
        if waiting is None and not is_any_left:
            return True
        with database.write("fhir.index") as connection:
            resource_index.forget_destroyed(connection, at_most=AT_ONCE)
            if waiting is not None:
                resource_index.catch_up(connection, *waiting, at_most=AT_ONCE)
    return False
