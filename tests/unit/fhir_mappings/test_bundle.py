from typing import Any

import pytest

from fhir_mappings.bundle import Entry, in_processing_order, read_transaction, searchset
from fhir_mappings.bundle_links import Links
from gateway.domain.errors import Invalid, Unprocessable
from gateway.domain.party import Identifier

OWN = "https://gateway.example/fhir"


def test_entries_are_read_as_they_are_meant() -> None:
    patient = {"resourceType": "Patient"}
    create = {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:mrn|1"}
    update = {"method": "PUT", "url": "Patient/7", "ifMatch": 'W/"3"'}
    sent = [{"resource": patient, "request": update}, {"fullUrl": "urn:uuid:1", "resource": patient, "request": create}]
    read = read_transaction({"resourceType": "Bundle", "type": "transaction", "entry": sent})
    assert read == (
        Entry("PUT", "Patient", patient, id="7", if_match=3, position=0),
        Entry("POST", "Patient", patient, "", "urn:uuid:1", Identifier("urn:mrn", "1"), position=1),
    )
    assert [entry.method for entry in in_processing_order(read)] == ["POST", "PUT"]


@pytest.mark.parametrize("sent", [None, [], "x", {"resourceType": "Patient"}, {"resourceType": "Bundle"}])
def test_what_is_no_transaction_is_refused(sent: Any) -> None:
    with pytest.raises(Invalid):
        read_transaction(sent)


@pytest.mark.parametrize(
    "entry", [None, {}, {"request": 1}, {"request": {}, "resource": {}}, {"request": {"method": 1}, "resource": {}}]
)
def test_what_is_no_entry_is_refused_with_its_place(entry: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        read_transaction({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert refusal.value.at.startswith("Bundle.entry[0]")


def test_places_are_seen_from_the_body() -> None:
    alone = Entry("POST", "Patient", {})
    inside = Entry("POST", "Patient", {}, position=4)
    assert [alone.at("Patient.name[0]"), alone.at("resourceType")] == ["Patient.name[0]", "resourceType"]
    assert inside.at("Patient.name[0]") == "Bundle.entry[4].resource.name[0]"
    assert inside.at("resourceType") == "Bundle.entry[4].resource.resourceType"
    assert inside.at("Composition.section[1]") == "Composition.section[1]"
    assert inside.at("Patient") == inside.at("") == "Bundle.entry[4].resource"


def test_references_resolve_in_order() -> None:
    assigned = {"urn:uuid:1": "Patient/a", "https://ehr.example/r4/Patient/7": "Patient/b"}
    found = {("Patient", Identifier("urn:mrn", "1")): "Patient/c"}
    links = Links(assigned, OWN, lambda kind, identifier: found.get((kind, identifier)))
    resolve, at = links.resolver("https://ehr.example/r4/ServiceRequest/8"), "ServiceRequest.subject.reference"
    said = ("urn:uuid:1", "Patient/7", f"{OWN}/Patient/d", "Patient?identifier=urn:mrn%7C1", "Patient/9", "#x")
    assert [resolve(literal, at) for literal in said] == [
        *("Patient/a", "Patient/b", "Patient/d", "Patient/c", "Patient/9", "#x")
    ]
    assert links.resolver("urn:uuid:2")("Patient/7", at) == "Patient/7"
    with pytest.raises(Unprocessable) as refusal:
        resolve("Patient?identifier=urn:mrn|2", at)
    assert refusal.value.at == at


def test_an_empty_searchset_has_no_entry_array() -> None:
    assert searchset([], total=0, links=[]) == {"resourceType": "Bundle", "type": "searchset", "total": 0}
