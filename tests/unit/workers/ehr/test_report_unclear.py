"""Every way of losing an answer to a write, and never a second report."""

from dataclasses import replace

import httpx
import pytest

from gateway.domain.errors import (
    Ambiguous,
    Transient,
    Unanswered,
    Unavailable,
)
from tests.unit.workers.ehr.delivering import SEARCHING, deliver
from tests.unit.workers.ehr.double import (
    ALL,
    Answerer,
    EhrDouble,
    answers,
    fails_with,
)

LOST_ANSWERS = [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError]


@pytest.mark.parametrize("error", LOST_ANSWERS)
def test_a_lost_answer_to_a_stored_write_ends_with_one_report(
    ehr: EhrDouble, error: type[httpx.TransportError]
) -> None:
    ehr.after_write = [fails_with(error)]

    with pytest.raises(Ambiguous):
        deliver(ehr)
    receipt = deliver(ehr, read_back_first=True)

    assert len(ehr.reports) == 1
    assert receipt.note == "was there already"


def test_a_lost_answer_to_a_write_that_was_not_stored_ends_with_one_report(ehr: EhrDouble) -> None:
    ehr.instead_of_write = [fails_with(httpx.ReadTimeout)]

    with pytest.raises(Ambiguous):
        deliver(ehr)
    assert not ehr.reports
    deliver(ehr, read_back_first=True)

    assert len(ehr.reports) == 1


@pytest.mark.parametrize(
    "end",
    [fails_with(httpx.ReadTimeout), answers(500), answers(502, Retry_After="5"), answers(201)],
    ids=["no answer", "500", "502", "201 and not there"],
)
def test_where_only_a_search_can_look_its_index_is_given_time_after_an_unclear_write(end: Answerer) -> None:
    ehr = EhrDouble(interactions=("create", "search-type"))
    ehr.instead_of_write = [end]

    with pytest.raises(Ambiguous) as caught:
        deliver(ehr, wiring=replace(ehr.wiring, look_again_after_s=90.0))
    assert caught.value.retry_after_s == 90


def test_what_a_worker_that_is_gone_may_have_stored_just_now_is_looked_for_twice() -> None:
    """The first search may be too early."""
    ehr = EhrDouble(interactions=SEARCHING)
    with pytest.raises(Ambiguous, match="may have stored it just now") as caught:
        deliver(ehr, read_back_first=True, has_just_left=True, wiring=replace(ehr.wiring, look_again_after_s=90.0))
    assert caught.value.retry_after_s == 90
    assert not ehr.reports
    deliver(ehr, read_back_first=True)
    assert len(ehr.reports) == 1


@pytest.mark.parametrize("is_conditional", [True, False])
def test_an_ehr_that_tells_at_once_is_not_waited_for(is_conditional: bool) -> None:
    ehr = EhrDouble(conditional_create=is_conditional, update_create=not is_conditional)
    deliver(ehr, read_back_first=True, has_just_left=True)
    assert len(ehr.reports) == 1


def test_a_longer_wish_of_the_ehr_itself_stands() -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    ehr.instead_of_write = [answers(502, Retry_After="120")]

    with pytest.raises(Unanswered) as caught:
        deliver(ehr)
    assert caught.value.retry_after_s == 120


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_ehr_is_asked_again_when_it_wishes(ehr: EhrDouble, status: int) -> None:
    ehr.instead_of_write = [answers(status, Retry_After="120")]

    with pytest.raises((Transient, Ambiguous)) as caught:
        deliver(ehr)
    assert isinstance(caught.value, Transient | Ambiguous)
    assert caught.value.retry_after_s == 120
    deliver(ehr, read_back_first=isinstance(caught.value, Ambiguous))

    assert len(ehr.reports) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(500, Ambiguous), (502, Unanswered), (504, Unanswered), (507, Ambiguous)]
)
@pytest.mark.parametrize("interactions", [SEARCHING, ("create", "search-type"), ("create", "read"), ("create",)])
def test_a_create_that_is_no_condition_is_unclear_after_a_server_error(
    interactions: tuple[str, ...], status: int, error: type[Exception]
) -> None:
    ehr = EhrDouble(interactions=interactions)
    ehr.after_write = [answers(status)]

    with pytest.raises(error, match=f"^The EHR answered HTTP {status}; the report may have been stored") as caught:
        deliver(ehr)
    assert type(caught.value) is error
    assert len(ehr.reports) == 1


@pytest.mark.parametrize("status", [500, 502, 504, 507])
@pytest.mark.parametrize("strategy", ["conditional create", "update create"])
def test_what_could_be_repeated_is_looked_for_first_all_the_same(strategy: str, status: int) -> None:
    """What stands before the EHR may have dropped the condition."""
    is_conditional = strategy == "conditional create"
    interactions = ALL if is_conditional else ("read", "update")
    ehr = EhrDouble(interactions=interactions, conditional_create=is_conditional, update_create=not is_conditional)
    ehr.after_write = [answers(status)]

    with pytest.raises(Ambiguous):
        deliver(ehr)
    receipt = deliver(ehr, read_back_first=True)

    assert receipt.note == "was there already"
    assert len(ehr.reports) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_an_ehr_that_says_it_cannot_now_has_done_nothing(status: int) -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    ehr.instead_of_write = [answers(status)]

    with pytest.raises(Unavailable):
        deliver(ehr)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_without_a_connection_nothing_was_sent(ehr: EhrDouble, error: type[httpx.TransportError]) -> None:
    ehr.instead_of_write = [fails_with(error)]

    with pytest.raises(Transient, match="nothing was sent"):
        deliver(ehr)


def test_an_ehr_without_any_safeguard_gets_one_attempt() -> None:
    ehr = EhrDouble(interactions=("create",))
    ehr.after_write = [fails_with(httpx.ReadTimeout)]

    with pytest.raises(Ambiguous):
        deliver(ehr)
    sent = len(ehr.reports)
    with pytest.raises(Ambiguous, match="a person has to ask") as unclear:
        deliver(ehr, read_back_first=True)

    assert unclear.value.is_for_person
    assert (sent, len(ehr.reports)) == (1, 1)


def test_an_ehr_that_only_claims_conditional_create_is_looked_at_before_a_second_write() -> None:
    ehr = EhrDouble(conditional_create=True)
    ehr.after_write = [fails_with(httpx.ReadTimeout)]
    with pytest.raises(Ambiguous):
        deliver(ehr)

    deliver(ehr, read_back_first=True)

    assert [each for each in ehr.methods() if each == "POST DiagnosticReport"] == ["POST DiagnosticReport"]
