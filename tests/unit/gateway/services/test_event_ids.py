"""An AuditEvent's id tells nothing of the row's number, and leads back to it here alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings.primitives import ID
from gateway.services.event_ids import EventIds

IDS = EventIds(b"k" * 32)


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_an_id_leads_back_to_its_row(number: int) -> None:
    event_id = IDS.of(number)
    assert IDS.number(event_id) == number
    assert ID.fullmatch(event_id)
    assert IDS.of(number) == event_id


def test_neighbours_have_nothing_in_common() -> None:
    first, second = IDS.of(4711), IDS.of(4712)
    assert sum(one == other for one, other in zip(first, second, strict=True)) < len(first) // 2


@pytest.mark.parametrize(
    "made_up",
    ["", "4711", "a" * 39, IDS.of(4711)[:-1], IDS.of(4711).upper(), IDS.of(4711) + "a", EventIds(b"o" * 32).of(4711)],
    ids=["none", "a number", "letters", "shorter", "capitals", "longer", "another installation"],
)
def test_what_is_no_id_of_ours_is_none(made_up: str) -> None:
    assert IDS.number(made_up) == 0


def test_a_changed_letter_makes_it_none() -> None:
    event_id = IDS.of(4711)
    for place, letter in enumerate(event_id[:-1]):
        other = "a" if letter != "a" else "b"
        assert IDS.number(event_id[:place] + other + event_id[place + 1 :]) == 0
