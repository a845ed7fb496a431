from datetime import date

import pytest

from fhir_mappings.patient import patient_from_fhir
from gateway.domain.errors import Invalid, Unprocessable
from gateway.domain.identity import PersonIdentity, contradictions
from gateway.domain.party import Identifier
from tests.unit.fhir_mappings.samples import changed, patient


def test_the_record_holds_who_this_is() -> None:
    record = patient_from_fhir(patient())
    assert record.identity == PersonIdentity(("Ayşe Işıl Öztürk",), date(1961, 4, 23), "female")
    assert record.display_name == "Ayşe Işıl Öztürk"
    assert record.identifiers == (Identifier("https://clinic.example/mrn", "4711"),)
    assert record.is_active


def test_a_header_in_capitals_is_the_same_person() -> None:
    header = PersonIdentity(("OEZTUERK^AYSE ISIL",), date(1961, 4, 23), "female")
    assert contradictions(header, patient_from_fhir(patient()).identity) == ()


def test_every_written_form_counts_and_the_official_one_is_printed() -> None:
    names = [
        {"use": "maiden", "family": "Kaya", "given": ["Ayşe"]},
        {"use": "official", "text": "Dr. Ayşe Öztürk", "family": "Öztürk", "given": ["Ayşe"]},
        {"use": "anonymous", "text": "Patient X"},
    ]
    record = patient_from_fhir(changed(patient(), "name", names))
    assert record.identity.names == ("Ayşe Kaya", "Ayşe Öztürk", "Dr. Ayşe Öztürk")
    assert record.display_name == "Dr. Ayşe Öztürk"


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("Dr. Ayşe Öztürk", {"prefix": ["Dr."]}),
        ("Prof. Dr. Ayşe Öztürk, MD PhD", {"prefix": ["Prof.", "Dr."], "suffix": ["MD", "PhD"]}),
    ],
)
def test_the_titles_in_a_text_are_no_part_of_the_name(text: str, titles: dict[str, list[str]]) -> None:
    record = patient_from_fhir(changed(patient(), "name", [{"text": text, **titles}]))
    assert record.identity.names == ("Ayşe Öztürk",)
    assert record.display_name == text


def test_an_unknown_sex_is_not_said_and_a_merged_record_says_so() -> None:
    merged = changed(patient(), "gender", "unknown") | {
        "active": False,
        "link": [
            {"type": "replaced-by", "other": {"reference": "Patient/p2"}},
            {"type": "seealso", "other": {"reference": "Patient/p3"}},
        ],
    }
    record = patient_from_fhir(merged)
    assert record.identity.sex == ""
    assert not record.is_active


def test_a_birth_date_may_be_absent() -> None:
    assert patient_from_fhir(changed(patient(), "birthDate", ...)).identity.birth_date is None


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("birthDate", "1961", "Patient.birthDate"),
        ("birthDate", "1961-04", "Patient.birthDate"),
        ("identifier", ..., "Patient.identifier"),
        ("identifier", [{"value": "4711"}], "Patient.identifier"),
        ("identifier", [{"use": "old", "system": "urn:x", "value": "4711"}], "Patient.identifier"),
        ("name", ..., "Patient.name"),
        ("name", [{"use": "nickname", "text": "Ayşecik"}], "Patient.name"),
        ("name", [{"text": "--"}], "Patient.name"),
    ],
)
def test_what_cannot_be_matched_is_refused(path: str, value: object, at: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        patient_from_fhir(changed(patient(), path, value))
    assert refusal.value.at == at


def test_another_resource_is_refused() -> None:
    with pytest.raises(Invalid):
        patient_from_fhir({"resourceType": "Organization", "name": "x"})
