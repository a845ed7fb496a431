from typing import Any

import pytest

from fhir_mappings.validation import check_resource
from gateway.domain.errors import Invalid, Unprocessable
from tests.unit.fhir_mappings import samples
from tests.unit.fhir_mappings.samples import changed, div

SECRET = "Öztürk"

BUNDLE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            "resource": samples.patient(),
            "request": {"method": "POST", "url": "Patient"},
        }
    ],
}
CONSENT = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
    "category": [{"text": "disclosure"}],
    "patient": {"reference": "Patient/p1"},
    "policy": [{"uri": "https://consilium.example/fhir/policy/disclose-to-reviewer"}],
    "provision": {
        "type": "permit",
        "actor": [{"role": {"text": "IRCP"}, "reference": {"reference": "Organization/r"}}],
    },
}
ORGANIZATION = {"resourceType": "Organization", "name": "Clinic", "active": True}
BINARY = {"resourceType": "Binary", "contentType": "application/pdf", "data": "JVBERi0="}


@pytest.mark.parametrize(
    "resource",
    [
        samples.patient(),
        samples.service_request(),
        samples.document_reference(),
        samples.composition(),
        samples.diagnostic_report(),
        BUNDLE,
        CONSENT,
        ORGANIZATION,
        BINARY,
        {"resourceType": "Patient", "_gender": {"extension": [{"url": "urn:x", "valueCode": "unknown"}]}},
        {
            "resourceType": "Patient",
            "name": [
                {
                    "given": ["A", None],
                    "_given": [None, {"id": "g", "extension": [{"url": "urn:x", "valueCode": "masked"}]}],
                }
            ],
        },
        {"resourceType": "Patient", "text": {"status": "generated", "div": div('<a href="Patient/1">x</a>')}},
        {
            "resourceType": "Patient",
            "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
            "managingOrganization": {"reference": "#o"},
        },
    ],
    ids=lambda resource: resource["resourceType"],
)
def test_valid_resources_pass(resource: dict[str, Any]) -> None:
    check_resource(resource, (resource["resourceType"],))


REFUSED = [
    (changed(samples.service_request(), "status", "foo"), "ServiceRequest.status"),
    (changed(samples.service_request(), "intent", ...), "ServiceRequest.intent"),
    (changed(samples.service_request(), "subject", ...), "ServiceRequest.subject"),
    (changed(samples.service_request(), "subject", {"reference": "Organization/1"}), "ServiceRequest.subject"),
    (changed(samples.service_request(), "subject", {"type": "Device2", "display": "x"}), "ServiceRequest.subject"),
    (changed(samples.service_request(), "subject", {"reference": SECRET}), "ServiceRequest.subject.reference"),
    (changed(samples.service_request(), "subject", {"reference": "#x"}), "ServiceRequest.subject.reference"),
    (
        changed(samples.service_request(), "subject", {"reference": "Patient/1", "type": "Group"}),
        "ServiceRequest.subject.type",
    ),
    (changed(samples.service_request(), "subject", {"id": "x"}), "ServiceRequest.subject"),
    (changed(samples.service_request(), "authoredOn", "2026-03-02T10:00:00"), "ServiceRequest.authoredOn"),
    (changed(samples.patient(), "id", "x" * 65), "Patient.id"),
    (changed(samples.patient(), "gender", "f"), "Patient.gender"),
    (changed(samples.patient(), "birthDate", "2025-02-30"), "Patient.birthDate"),
    (changed(samples.patient(), "birthDate", 12), "Patient.birthDate"),
    (changed(samples.patient(), "active", "true"), "Patient.active"),
    (changed(samples.patient(), "name[0].given[0]", 3), "Patient.name[0].given[0]"),
    (changed(samples.patient(), "name[0].given[0]", None), "Patient.name[0].given[0]"),
    (changed(samples.patient(), "name[0].family", ""), "Patient.name[0].family"),
    (changed(samples.patient(), "name[0].use", "proper"), "Patient.name[0].use"),
    (changed(samples.patient(), "name", []), "Patient.name"),
    (changed(samples.patient(), "name", {"text": SECRET}), "Patient.name"),
    (changed(samples.patient(), f"name[0].{SECRET}", SECRET), "Patient.name[0]"),
    (changed(samples.patient(), "_name", [{"id": "x"}]), "Patient.name"),
    (changed(samples.patient(), "birth_date", "1961-04-23"), "Patient"),
    (changed(samples.patient(), "fhir_comments", SECRET), "Patient"),
    (changed(samples.patient(), "resource_type", "Patient"), "Patient"),
    (changed(samples.patient(), "contained", [{"resourceType": "Nothing"}]), "Patient.contained[0].resourceType"),
    (changed(samples.patient(), "contained", [{"resourceType": "Identifier"}]), "Patient.contained[0].resourceType"),
    (changed(samples.patient(), "contained", [{"name": SECRET}]), "Patient.contained[0].resourceType"),
    (changed(samples.patient(), "contained", [5]), "Patient.contained[0]"),
    (changed(samples.patient(), "text", {"status": "generated", "div": div("<script/>x")}), "Patient.text.div"),
    (changed(samples.patient(), "text", {"status": "made", "div": div("x")}), "Patient.text.status"),
    (changed(samples.patient(), "deceasedBoolean", False) | {"deceasedDateTime": "2026"}, "Patient.deceased"),
    (changed(samples.composition(), "author", []), "Composition.author"),
    (changed(samples.composition(), "status", "appended"), "Composition.status"),
    (changed(samples.composition(), "title", ...), "Composition.title"),
    (changed(samples.diagnostic_report(), "status", "done"), "DiagnosticReport.status"),
    (changed(samples.diagnostic_report(), "issued", "2026-03-02"), "DiagnosticReport.issued"),
    (changed(samples.document_reference(), "status", "final"), "DocumentReference.status"),
    (
        changed(samples.document_reference(), "content[0].attachment.data", "%%%"),
        "DocumentReference.content[0].attachment.data",
    ),
    (changed(CONSENT, "status", "valid"), "Consent.status"),
    (changed(CONSENT, "provision.type", "allow"), "Consent.provision.type"),
    (
        changed(CONSENT, "provision.actor[0].reference.reference", "Location/1"),
        "Consent.provision.actor[0].reference",
    ),
    (changed(BINARY, "contentType", ...), "Binary.contentType"),
    (changed(ORGANIZATION, "active", 1), "Organization.active"),
    (changed(BUNDLE, "type", "pile"), "Bundle.type"),
    (changed(BUNDLE, "entry[0].request.method", "COPY"), "Bundle.entry[0].request.method"),
    (changed(BUNDLE, "entry[0].resource.gender", "w"), "Bundle.entry[0].resource.gender"),
    (changed(BUNDLE, "entry[0].resource.resourceType", "Nothing"), "Bundle.entry[0].resource.resourceType"),
    ({"resourceType": "Practitioner"}, "resourceType"),
    ({"resourceType": ["Patient"]}, "resourceType"),
    ({}, "resourceType"),
]


@pytest.mark.parametrize(("resource", "at"), REFUSED, ids=[f"{number}-{at}" for number, (_, at) in enumerate(REFUSED)])
def test_a_broken_rule_is_refused_at_its_place_without_quoting(resource: dict[str, Any], at: str) -> None:
    kinds = ("Patient", "Organization", "ServiceRequest", "Consent", "DocumentReference", "DiagnosticReport")
    with pytest.raises(Invalid) as refusal:
        check_resource(resource, (*kinds, "Composition", "Binary", "Bundle"))
    assert refusal.value.at == at
    assert SECRET not in f"{refusal.value} {refusal.value.at}"


def test_a_resource_is_an_object() -> None:
    with pytest.raises(Invalid):
        check_resource([samples.patient()], ("Patient",))


@pytest.mark.parametrize(
    ("path", "value"),
    [("implicitRules", "urn:rules"), ("modifierExtension", [{"url": "urn:x", "valueBoolean": True}])],
)
def test_a_modifier_is_not_understood(path: str, value: object) -> None:
    with pytest.raises(Unprocessable) as refusal:
        check_resource(changed(samples.service_request(), path, value), ("ServiceRequest",))
    assert refusal.value.at == f"ServiceRequest.{path}"
    assert str(refusal.value).endswith("leave it out")


def test_endless_nesting_is_refused() -> None:
    extension: dict[str, Any] = {"url": "urn:x", "valueString": "x"}
    for _ in range(400):
        extension = {"url": "urn:x", "extension": [extension]}
    with pytest.raises(Invalid):
        check_resource({"resourceType": "Patient", "extension": [extension]}, ("Patient",))
