"""Exactly one Patient, or a person has to look."""

from typing import Any

import pytest

from gateway.domain.errors import Permanent
from gateway.domain.party import Identifier
from tests.unit.workers.ehr.double import ADDRESS, PATIENT_IDENTIFIER, EhrDouble, patient
from workers.ehr.capability import TypeCapability
from workers.ehr.client import Session
from workers.ehr.patient import find_patient

NATIONAL = Identifier("urn:oid:1.2.792", "10000000146")
SEARCHABLE = TypeCapability(frozenset({"search-type"}), frozenset({"identifier"}))


def find(ehr: EhrDouble, *identifiers: Identifier, offered: TypeCapability = SEARCHABLE) -> dict[str, Any]:
    with Session(ADDRESS, before_send=lambda: None, wiring=ehr.wiring) as session:
        return find_patient(session, offered, identifiers or (PATIENT_IDENTIFIER,))


@pytest.fixture
def ehr() -> EhrDouble:
    return EhrDouble()


def test_the_one_patient_is_referred_to(ehr: EhrDouble) -> None:
    assert find(ehr, NATIONAL, PATIENT_IDENTIFIER) == {"reference": "Patient/p1", "type": "Patient"}
    assert ehr.methods() == ["POST Patient/_search"]


def test_nobody_is_for_a_person(ehr: EhrDouble) -> None:
    with pytest.raises(Permanent, match="knows no Patient") as caught:
        find(ehr, NATIONAL)
    assert NATIONAL.value not in str(caught.value)


@pytest.mark.parametrize("second", [patient("p2"), patient("p2", NATIONAL)])
def test_two_patients_are_for_a_person(ehr: EhrDouble, second: dict[str, Any]) -> None:
    ehr.patients.append(second)

    with pytest.raises(Permanent, match="several Patients"):
        find(ehr, PATIENT_IDENTIFIER, NATIONAL)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"active": False}, "inactive"),
        ({"link": [{"type": "replaced-by", "other": {"reference": "Patient/p9"}}]}, "merged"),
    ],
)
def test_a_patient_out_of_use_is_for_a_person(ehr: EhrDouble, more: dict[str, Any], told: str) -> None:
    ehr.patients = [patient("p1", **more)]

    with pytest.raises(Permanent, match=told):
        find(ehr)


@pytest.mark.parametrize("patient_id", ["", "../admin", "x" * 65, "a b", 7, None])
def test_an_id_that_is_none_is_refused(ehr: EhrDouble, patient_id: Any) -> None:
    ehr.patients = [patient(patient_id)]

    with pytest.raises(Permanent, match="valid id"):
        find(ehr)


def test_without_search_the_identifier_itself_is_the_reference(ehr: EhrDouble) -> None:
    reference = find(ehr, offered=TypeCapability(frozenset({"read"})))

    assert reference == {
        "type": "Patient",
        "identifier": {"system": PATIENT_IDENTIFIER.system, "value": PATIENT_IDENTIFIER.value},
    }
    assert not ehr.requests


def test_a_number_without_a_system_finds_nobody(ehr: EhrDouble) -> None:
    with pytest.raises(Permanent, match="no identifier with a system"):
        find(ehr, Identifier("", "4711"))
    assert not ehr.requests


def test_an_ehr_without_search_by_post_never_gets_the_number_in_a_url(ehr: EhrDouble) -> None:
    ehr.takes_post_search = False

    with pytest.raises(Permanent, match="takes no Patient search by POST"):
        find(ehr)
    assert ehr.methods() == ["POST Patient/_search"]


def test_a_search_that_returns_everybody_is_not_believed(ehr: EhrDouble) -> None:
    ehr.patients = [patient("p2", NATIONAL)]
    ehr.is_parameter_ignored = True

    with pytest.raises(Permanent, match="ignores the identifier"):
        find(ehr)
