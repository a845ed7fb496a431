"""Whether it may leave is asked before each request to an EHR: once it ends, nothing more is asked or told there."""

import pytest

from gateway.domain.errors import Ambiguous, Conflict
from tests.unit.workers.ehr.delivering import deliver
from tests.unit.workers.ehr.double import EhrDouble

NO_MORE = Conflict("the grant was cancelled; nothing more is sent")


class _Permission:
    """Holds for so many requests."""

    def __init__(self, holds: int) -> None:
        self.left = holds

    def __call__(self) -> None:
        if not self.left:
            raise NO_MORE
        self.left -= 1


def _requests_with(ehr: EhrDouble, permission: _Permission) -> list[str]:
    with pytest.raises((Conflict, Ambiguous), match="nothing more is sent"):
        deliver(ehr, before_send=permission)
    return [one for one in ehr.methods() if one != "GET metadata"]


def test_nothing_is_asked_where_it_ended_before(ehr: EhrDouble) -> None:
    assert _requests_with(ehr, _Permission(0)) == []


def test_ended_after_the_search_for_the_patient_nothing_is_created(ehr: EhrDouble) -> None:
    assert _requests_with(ehr, _Permission(1)) == ["POST Patient/_search"]
    assert ehr.reports == {}


def test_ended_between_the_look_and_the_create_nothing_is_created(ehr: EhrDouble) -> None:
    permission = _Permission(2)
    with pytest.raises(Conflict, match="nothing more is sent"):
        deliver(ehr, before_send=permission, read_back_first=True)
    asked = [one for one in ehr.methods() if one != "GET metadata"]
    assert len(asked) == 2
    assert asked[0] == "POST Patient/_search"
    assert ehr.reports == {}


def test_ended_before_it_is_read_back_it_is_open_whether_it_arrived(ehr: EhrDouble) -> None:
    count = len(_requests(ehr))
    again = EhrDouble(
        interactions=ehr.interactions, conditional_create=ehr.conditional_create, update_create=ehr.update_create
    )
    with pytest.raises(Ambiguous, match="reading the report back failed: the grant was cancelled"):
        deliver(again, before_send=_Permission(count - 1))
    assert len(again.reports) == 1
    assert len([one for one in again.methods() if one != "GET metadata"]) == count - 1


def _requests(ehr: EhrDouble) -> list[str]:
    """What a delivery asks when nobody stops it; the last of it reads the report back."""
    deliver(ehr)
    return [one for one in ehr.methods() if one != "GET metadata"]
