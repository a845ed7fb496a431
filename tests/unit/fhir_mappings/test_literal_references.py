from fhir_mappings.codes import COMPOSITION_LINK
from fhir_mappings.literal_references import (
    LocalTarget,
    literal_references,
    local_target,
    rewritten,
    search_targets,
)

CONSENT = {
    "resourceType": "Consent",
    "patient": {"reference": "Patient/p1"},
    "sourceReference": {"reference": "DocumentReference/d1/_history/2"},
    "contained": [{"resourceType": "Organization", "id": "c", "partOf": {"reference": "Organization/o1"}}],
    "provision": {
        "actor": [{"reference": {"reference": "#c"}}, {"reference": {"reference": "Organization/o2"}}],
        "provision": [{"data": [{"meaning": "instance", "reference": {"reference": "ImagingStudy/i1"}}]}],
    },
    "extension": [{"url": COMPOSITION_LINK, "valueReference": {"reference": "Composition/k"}}],
}


def test_every_reference_has_its_place_and_its_search_parameter() -> None:
    found = {reference.at: (reference.literal, reference.parameter) for reference in literal_references(CONSENT)}
    assert found == {
        "Consent.patient.reference": ("Patient/p1", "patient"),
        "Consent.sourceReference.reference": ("DocumentReference/d1/_history/2", "source-reference"),
        "Consent.contained[0].partOf.reference": ("Organization/o1", "part-of"),
        "Consent.provision.actor[1].reference.reference": ("Organization/o2", "actor"),
        "Consent.provision.provision[0].data[0].reference.reference": ("ImagingStudy/i1", "data"),
        "Consent.extension[0].valueReference.reference": ("Composition/k", "composition"),
    }


def test_a_subject_is_found_as_patient_too_and_an_attachment_by_its_url() -> None:
    document = {
        "resourceType": "DocumentReference",
        "subject": {"reference": "Patient/p1"},
        "author": [{"reference": "https://elsewhere.example/Practitioner/1"}],
        "context": {"related": [{"reference": "ServiceRequest/s1"}]},
        "content": [{"attachment": {"url": "Binary/b1"}}],
    }
    assert search_targets(document) == {
        ("subject", "Patient", "p1"),
        ("patient", "Patient", "p1"),
        ("related", "ServiceRequest", "s1"),
        ("attachment", "Binary", "b1"),
    }
    assert "patient" not in {name for name, _, _ in search_targets({"subject": {"reference": "Group/g"}})}


def test_local_targets() -> None:
    assert local_target("Patient/p1/_history/3") == LocalTarget("Patient", "p1", "3")
    assert local_target("Patient/p1") == LocalTarget("Patient", "p1")
    for other in (
        "https://a.example/Patient/p1",
        "Patient?x=y",
        "#p1",
        "Patient/",
        "Patient/a/b",
        "Patient/" + "a" * 65,
    ):
        assert local_target(other) is None


def test_links_are_rewritten_and_business_identifiers_are_not() -> None:
    url = "urn:uuid:6b1cd3b5-a6a2-4a5e-8f3e-000000000001"
    resource = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": url}],
        "link": [{"other": {"reference": url}, "type": "seealso"}],
        "photo": [{"url": url}],
        "text": {"status": "generated", "div": f'<div><a href="{url}">{url}</a></div>'},
    }
    asked = []

    def resolve(literal: str, at: str) -> str:
        asked.append(at)
        return "Patient/p2" if literal == url else literal

    result = rewritten(resource, resolve)
    assert result["identifier"] == resource["identifier"]
    assert result["link"][0]["other"]["reference"] == result["photo"][0]["url"] == "Patient/p2"
    assert result["text"]["div"] == f'<div><a href="Patient/p2">{url}</a></div>'
    assert asked == ["Patient.link[0].other.reference", "Patient.photo[0].url", "Patient.text.div"]
