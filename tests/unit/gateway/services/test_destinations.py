"""What an error says of the destination: did it answer, did it not, or was it never asked?"""

import pytest

from gateway.domain.breaker import CLOSED, Breaker
from gateway.domain.errors import (
    Ambiguous,
    GatewayError,
    Lacking,
    NotAsked,
    Permanent,
    Transient,
    Unanswered,
    Unavailable,
    Unreachable,
)
from gateway.services.destinations import watched
from gateway.store import breakers
from tests.unit.gateway.services.scenery import Scenery

WHERE = "ankara-ehr"


def _after(scenery: Scenery, error: GatewayError) -> Breaker:
    """The breaker of a destination that failed once before, after a sending that ends like this."""
    with scenery.core.database.write("test") as connection:
        breakers.lock(connection, WHERE)
        breakers.keep(connection, WHERE, Breaker(1, scenery.clock()))
    with pytest.raises(type(error)), watched(scenery.core, WHERE):
        raise error
    with scenery.core.database.read() as connection:
        return breakers.by_endpoint(connection, WHERE)


@pytest.mark.parametrize("error", [Unreachable("away"), Unavailable("HTTP 503"), Unanswered("the connection was lost")])
def test_no_answer_counts_against_it(scenery: Scenery, error: GatewayError) -> None:
    assert _after(scenery, error).failures == 2


@pytest.mark.parametrize("error", [Permanent("refused"), Ambiguous("not there when read back"), Lacking("no study")])
def test_an_answer_is_one_whatever_it_says(scenery: Scenery, error: GatewayError) -> None:
    assert _after(scenery, error) == CLOSED


@pytest.mark.parametrize("error", [NotAsked("the token file cannot be read"), Transient("the disk is slow")])
def test_what_never_got_there_says_nothing_of_it(scenery: Scenery, error: GatewayError) -> None:
    assert _after(scenery, error).failures == 1
