"""A later version replaces the one that is there, and an older one never does."""

import json

import httpx
import pytest

from gateway.domain.errors import (
    Ambiguous,
    Permanent,
    Transient,
)
from tests.unit.workers.ehr.delivering import SEARCHING, deliver
from tests.unit.workers.ehr.double import (
    EhrDouble,
    answers,
    fails_with,
)


def test_an_amendment_replaces_the_stored_version() -> None:
    ehr = EhrDouble(conditional_create=True)
    first = deliver(ehr)

    second = deliver(ehr, status="amended", pdf=b"%PDF second", is_amendment=True)

    assert (first.reference, second.reference) == ("DiagnosticReport/s1/_history/1", "DiagnosticReport/s1/_history/2")
    assert ehr.reports["s1"]["status"] == "amended"
    put = next(each for each in ehr.requests if each.method == "PUT")
    assert put.headers["if-match"] == 'W/"1"'
    assert json.loads(put.content)["id"] == "s1"


def test_an_amendment_whose_answer_was_lost_is_not_written_twice() -> None:
    ehr = EhrDouble(conditional_create=True)
    deliver(ehr)
    ehr.after_write = [fails_with(httpx.ReadTimeout)]
    with pytest.raises(Ambiguous):
        deliver(ehr, status="amended", is_amendment=True)

    receipt = deliver(ehr, status="amended", is_amendment=True, read_back_first=True)

    assert receipt.reference == "DiagnosticReport/s1/_history/2"
    assert [each.method for each in ehr.requests].count("PUT") == 1


def test_an_amendment_is_found_by_the_earlier_receipt_where_there_is_no_search() -> None:
    ehr = EhrDouble(interactions=("create", "read", "update"))
    first = deliver(ehr)

    deliver(ehr, status="amended", is_amendment=True, stored_reference=first.reference)

    assert [each["status"] for each in ehr.reports.values()] == ["amended"]


def test_an_amendment_changed_meanwhile_is_read_again() -> None:
    ehr = EhrDouble(conditional_create=True)
    deliver(ehr)
    ehr.instead_of_write = [answers(412)]

    with pytest.raises(Transient, match="changed in the EHR"):
        deliver(ehr, status="amended", is_amendment=True)


def test_an_amendment_without_update_is_for_a_person() -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    deliver(ehr)

    with pytest.raises(Permanent, match="offers no update"):
        deliver(ehr, status="amended", is_amendment=True)
    assert len(ehr.reports) == 1


def test_an_amendment_whose_first_version_never_came_is_created() -> None:
    ehr = EhrDouble(conditional_create=True)

    assert deliver(ehr, status="amended", is_amendment=True).status == "HTTP 201"


def test_an_older_version_never_replaces_a_newer_one(ehr: EhrDouble) -> None:
    deliver(ehr, status="amended")

    with pytest.raises(Permanent, match="another status"):
        deliver(ehr, status="final")
    assert [each["status"] for each in ehr.reports.values()] == ["amended"]
