import pytest

from fhir_mappings.service_request import order_from_fhir
from gateway.domain.case import Order
from gateway.domain.errors import Invalid, Unprocessable
from gateway.domain.party import Identifier
from tests.unit.fhir_mappings.samples import CLINIC_SYSTEM, changed, service_request

V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def test_the_order_holds_what_was_asked() -> None:
    assert order_from_fhir(service_request()) == Order(
        status="active",
        priority="urgent",
        placer=Identifier(CLINIC_SYSTEM, "ORD-1"),
        patient_reference="Patient/p1",
        requester_reference="Organization/clinic",
        requester_identifier=None,
        performer_references=("Organization/board",),
        performer_identifiers=(Identifier("https://reviewer.example/id", "r-1"),),
        study_instance_uids=("1.2.826.0.1.3680043.8.498.1",),
        accession_numbers=("A-77",),
        reason="Treatment plan for a laryngeal tumour",
    )


def test_priority_is_routine_unless_said_and_imaging_may_be_unknown() -> None:
    plain = changed(changed(service_request(), "priority", ...), "supportingInfo", ...)
    order = order_from_fhir(plain)
    assert (order.priority, order.study_instance_uids, order.accession_numbers) == ("routine", (), ())


def test_a_typed_placer_number_wins_and_an_own_accession_number_counts() -> None:
    identifiers = [
        {"system": "urn:x", "value": "1"},
        {"type": {"coding": [{"system": V2_0203, "code": "PLAC"}]}, "system": "urn:x", "value": "2"},
        {"type": {"coding": [{"system": V2_0203, "code": "ACSN"}]}, "value": "A-1"},
    ]
    order = order_from_fhir(changed(service_request(), "identifier", identifiers))
    assert order.placer == Identifier("urn:x", "2")
    assert order.accession_numbers == ("A-1", "A-77")


def test_a_requester_may_be_an_identifier() -> None:
    requester = {"identifier": {"system": "urn:clinic", "value": "c"}}
    order = order_from_fhir(changed(service_request(), "requester", requester))
    assert (order.requester_reference, order.requester_identifier) == ("", Identifier("urn:clinic", "c"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", "draft"),
        ("intent", "plan"),
        ("priority", "stat"),
        ("doNotPerform", True),
        ("subject", {"reference": "Group/1"}),
        ("subject", {"reference": "https://clinic.example/fhir/Patient/1"}),
        ("subject", {"identifier": {"system": "urn:x", "value": "1"}}),
        ("requester", ...),
        ("requester", {"display": "Clinic"}),
        ("requester", {"reference": "Device/1"}),
        ("identifier", ...),
        ("identifier", [{"value": "ORD-1"}]),
        ("identifier", [{"system": "urn:x", "value": "1"}, {"system": "urn:x", "value": "2"}]),
        ("reasonCode", [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0336", "code": "P"}]}]),
        ("supportingInfo", [{"identifier": {"system": "urn:dicom:uid", "value": "1.2.3"}}]),
        ("supportingInfo", [{"identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.02.3"}}]),
        ("supportingInfo", [{"identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1." + "2" * 64}}]),
    ],
)
def test_what_is_no_order_of_a_second_opinion_is_refused(path: str, value: object) -> None:
    with pytest.raises(Unprocessable) as refusal:
        order_from_fhir(changed(service_request(), path, value))
    assert refusal.value.at == f"ServiceRequest.{path}"


def test_a_required_code_that_is_only_an_extension_is_refused() -> None:
    masked = changed(service_request(), "intent", ...)
    masked["_intent"] = {"extension": [{"url": "urn:x", "valueCode": "masked"}]}
    with pytest.raises(Invalid):
        order_from_fhir(masked)
