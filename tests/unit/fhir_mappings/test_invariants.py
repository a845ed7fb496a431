"""What breaks an invariant of R4 is refused at its place with a way to mend it, and what is mended so passes."""

from typing import Any

import pytest

from fhir_mappings.invariants import INVARIANTS
from fhir_mappings.validation import check_resource
from gateway.domain.errors import Invalid
from tests.unit.fhir_mappings import samples
from tests.unit.fhir_mappings.samples import changed

UCUM = "http://unitsofmeasure.org"
SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"


def extended(**value: Any) -> dict[str, Any]:
    """A Patient with one value of any data type."""
    return {"resourceType": "Patient", "extension": [{"url": "urn:x", **value}]}


def measured(kind: str, **members: Any) -> dict[str, Any]:
    return extended(**{f"value{kind}": members})


def repeated(**members: Any) -> dict[str, Any]:
    return extended(valueTiming={"repeat": members})


def triggered(**members: Any) -> dict[str, Any]:
    return extended(valueTriggerDefinition=members)


def consent(scope: str = "patient-privacy", /, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": SCOPES, "code": scope}]},
        "category": [{"text": "x"}],
        **members,
    }


def task(authored: str, modified: str) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "authoredOn": authored,
        "lastModified": modified,
    }


def event(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "AuditEvent",
        "type": {"code": "rest"},
        "recorded": "2026-03-02T09:00:00Z",
        "agent": [{"requestor": True}],
        "source": {"observer": {"display": "gateway"}},
        "entity": [members],
    }


def organization(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Organization", **members}


def section(**members: Any) -> dict[str, Any]:
    return changed(samples.composition(), "section", [{"title": "x", **members}])


POLICY: dict[str, Any] = {"policy": [{"uri": "urn:x"}]}
WHOSE: dict[str, Any] = {"patient": {"reference": "Patient/p1"}}
DATA = [{"type": "Observation"}]
YEAR_UNIT = {"system": UCUM, "code": "a"}
TEXT = {"status": "generated", "div": samples.div("x")}

CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("age-1", measured("Age", value=0, **YEAR_UNIT), measured("Age", value=1, **YEAR_UNIT), "extension[0].valueAge"),
    ("age-1", measured("Age", value=3), measured("Age", value=3, **YEAR_UNIT), "extension[0].valueAge"),
    (
        "att-1",
        measured("Attachment", data="eA=="),
        measured("Attachment", data="eA==", contentType="text/plain"),
        "extension[0].valueAttachment",
    ),
    ("cmp-1", section(), section(text=TEXT), "section[0].text"),
    (
        "cmp-2",
        section(emptyReason={"text": "none"}, entry=[{"display": "x"}]),
        section(entry=[{"display": "x"}]),
        "section[0]",
    ),
    (
        "cnt-3",
        measured("Count", value=2, system=UCUM, code="kg"),
        measured("Count", value=2, system=UCUM, code="1"),
        "extension[0].valueCount",
    ),
    (
        "cpt-2",
        changed(samples.patient(), "telecom", [{"value": "1"}]),
        changed(samples.patient(), "telecom", [{"value": "1", "system": "phone"}]),
        "telecom[0]",
    ),
    (
        "dis-1",
        measured("Distance", value=1, system="urn:x", code="m"),
        measured("Distance", value=1, system=UCUM, code="m"),
        "extension[0].valueDistance",
    ),
    (
        "drq-1",
        extended(valueDataRequirement={"type": "Patient", "codeFilter": [{"valueSet": "urn:x"}]}),
        extended(valueDataRequirement={"type": "Patient", "codeFilter": [{"path": "x"}]}),
        "extension[0].valueDataRequirement.codeFilter[0]",
    ),
    (
        "drq-2",
        extended(valueDataRequirement={"type": "Patient", "dateFilter": [{"path": "x", "searchParam": "y"}]}),
        extended(valueDataRequirement={"type": "Patient", "dateFilter": [{"searchParam": "y"}]}),
        "extension[0].valueDataRequirement.dateFilter[0]",
    ),
    (
        "drt-1",
        measured("Duration", system=UCUM, code="h"),
        measured("Duration", value=1, system=UCUM, code="h"),
        "extension[0].valueDuration",
    ),
    (
        "exp-1",
        extended(valueExpression={"language": "text/fhirpath"}),
        extended(valueExpression={"language": "text/fhirpath", "expression": "true"}),
        "extension[0].valueExpression",
    ),
    ("ext-1", extended(), extended(valueString="x"), "extension[0]"),
    (
        "ext-1",
        extended(valueString="x", extension=[{"url": "y", "valueCode": "z"}]),
        extended(extension=[{"url": "y", "valueCode": "z"}]),
        "extension[0]",
    ),
    (
        "inv-1",
        task("2026-03-02T10:00:00+03:00", "2026-03-02T06:59:59Z"),
        task("2026-03-02T10:00:00+03:00", "2026-03-02T07:00:00Z"),
        "lastModified",
    ),
    ("org-1", organization(active=True), organization(identifier=[{"value": "x"}]), ""),
    (
        "org-2",
        organization(name="x", address=[{"use": "home", "city": "y"}]),
        organization(name="x", address=[{"use": "work", "city": "y"}]),
        "address",
    ),
    (
        "org-3",
        organization(name="x", telecom=[{"use": "home", "system": "phone", "value": "1"}]),
        organization(name="x", telecom=[{"system": "phone", "value": "1"}]),
        "telecom",
    ),
    (
        "pat-1",
        changed(samples.patient(), "contact", [{"gender": "male"}]),
        changed(samples.patient(), "contact", [{"gender": "male", "name": {"text": "x"}}]),
        "contact[0]",
    ),
    *(
        (
            "per-1",
            extended(valuePeriod={"start": start, "end": before}),
            extended(valuePeriod={"start": start, "end": after}),
            "extension[0].valuePeriod.end",
        )
        for start, before, after in (
            ("2026-03-02", "2026-03-01", "2026-03-02"),
            ("2026-03-02", "2025", "2026"),
            ("2026-03-02T09:00:00Z", "2026-03-02T08:59:59Z", "2026-03-02T10:00:00+01:00"),
            ("2026-03-02T22:00:00-05:00", "2026-03-01", "2026-03-02"),
        )
    ),
    ("ppc-1", consent(**WHOSE), consent(**WHOSE, **POLICY), ""),
    ("ppc-2", consent(**POLICY), consent(**POLICY, **WHOSE), "patient"),
    *(
        (key, consent(scope, **POLICY), consent(scope, **POLICY, **WHOSE), "patient")
        for key, scope in (("ppc-3", "research"), ("ppc-4", "adr"), ("ppc-5", "treatment"))
    ),
    (
        "prr-1",
        changed(samples.service_request(), "orderDetail", [{"text": "x"}]),
        changed(samples.service_request(), "orderDetail", [{"text": "x"}]) | {"code": {"text": "y"}},
        "code",
    ),
    *(
        (
            "qty-3",
            measured(kind, value=1, code="1"),
            measured(kind, value=1, code="1", system=UCUM),
            f"extension[0].value{kind}",
        )
        for kind in ("Quantity", "Count")
    ),
    (
        "rat-1",
        extended(valueRatio={"numerator": {"value": 1}}),
        extended(valueRatio={"numerator": {"value": 1}, "denominator": {"value": 2}}),
        "extension[0].valueRatio",
    ),
    (
        "rng-2",
        extended(valueRange={"low": {"value": 2}, "high": {"value": 1}}),
        extended(valueRange={"low": {"value": 2}, "high": {"value": 1, "unit": "kg"}}),
        "extension[0].valueRange.high",
    ),
    ("sev-1", event(name="x", query="eA=="), event(name="x"), "entity[0]"),
    ("tim-1", repeated(duration=1), repeated(duration=1, durationUnit="h"), "extension[0].valueTiming.repeat"),
    ("tim-2", repeated(period=1), repeated(period=1, periodUnit="h"), "extension[0].valueTiming.repeat"),
    (
        "tim-4",
        repeated(duration=-1, durationUnit="h"),
        repeated(duration=0, durationUnit="h"),
        "extension[0].valueTiming.repeat",
    ),
    (
        "tim-5",
        repeated(period=-1, periodUnit="h"),
        repeated(period=0, periodUnit="h"),
        "extension[0].valueTiming.repeat",
    ),
    (
        "tim-6",
        repeated(periodMax=1),
        repeated(period=1, periodUnit="h", periodMax=1),
        "extension[0].valueTiming.repeat",
    ),
    (
        "tim-7",
        repeated(durationMax=1),
        repeated(duration=1, durationUnit="h", durationMax=1),
        "extension[0].valueTiming.repeat",
    ),
    ("tim-8", repeated(countMax=1), repeated(count=1, countMax=1), "extension[0].valueTiming.repeat"),
    ("tim-9", repeated(offset=1, when=["C"]), repeated(offset=1, when=["AC"]), "extension[0].valueTiming.repeat"),
    (
        "tim-10",
        repeated(timeOfDay=["09:00:00"], when=["AC"]),
        repeated(timeOfDay=["09:00:00"]),
        "extension[0].valueTiming.repeat",
    ),
    (
        "trd-1",
        triggered(type="data-added", data=DATA, timingDate="2026"),
        triggered(type="data-added", data=DATA),
        "extension[0].valueTriggerDefinition",
    ),
    (
        "trd-2",
        triggered(type="periodic", timingDate="2026", condition={"language": "text/x", "expression": "y"}),
        triggered(type="data-added", data=DATA, condition={"language": "text/x", "expression": "y"}),
        "extension[0].valueTriggerDefinition",
    ),
    (
        "trd-3",
        triggered(type="named-event"),
        triggered(type="named-event", name="x"),
        "extension[0].valueTriggerDefinition",
    ),
]


@pytest.mark.parametrize(("key", "broken", "mended", "at"), CASES, ids=[f"{n}-{one[0]}" for n, one in enumerate(CASES)])
def test_what_breaks_a_rule_is_refused_and_its_mending_passes(
    key: str, broken: dict[str, Any], mended: dict[str, Any], at: str
) -> None:
    kind = broken["resourceType"]
    with pytest.raises(Invalid) as refusal:
        check_resource(broken, (kind,))
    assert str(refusal.value).endswith(f"({key})")
    assert refusal.value.at == (f"{kind}.{at}" if at else kind)
    check_resource(mended, (kind,))


def test_each_rule_has_a_case() -> None:
    assert {one.key for one in INVARIANTS} == {key for key, *_ in CASES}


PRACTITIONER = {"resourceType": "Practitioner", "id": "who", "name": [{"family": "x"}]}
NAMED = {"generalPractitioner": [{"reference": "#who"}]}

LINKED = {"extension": [{"url": "urn:x", "valueReference": {"reference": "#who"}}]}


@pytest.mark.parametrize(
    ("contained", "around", "at", "key"),
    [
        ([PRACTITIONER], {}, "contained[0]", "dom-3"),
        ([PRACTITIONER | {"meta": {"versionId": "1"}}], NAMED, "contained[0].meta", "dom-4"),
        ([PRACTITIONER | {"meta": {"security": [{"code": "R"}]}}], NAMED, "contained[0].meta.security", "dom-5"),
        ([PRACTITIONER | {"contained": [PRACTITIONER]}], NAMED, "contained[0].contained[0]", "dom-3"),
        ([{"resourceType": "Bundle", "type": "collection", "id": "who"}], LINKED, "contained[0]", "dom-2"),
        ([PRACTITIONER, PRACTITIONER], NAMED, "contained[1]", ""),
    ],
)
def test_what_is_contained_has_rules(
    contained: list[dict[str, Any]], around: dict[str, Any], at: str, key: str
) -> None:
    resource = {"resourceType": "Patient", "contained": contained, **around}
    with pytest.raises(Invalid) as refusal:
        check_resource(resource, ("Patient",))
    assert refusal.value.at == f"Patient.{at}"
    assert key in str(refusal.value)


@pytest.mark.parametrize(
    "contained",
    [
        [PRACTITIONER],
        [
            {"resourceType": "PractitionerRole", "id": "who", "practitioner": {"reference": "#person"}},
            PRACTITIONER | {"id": "person"},
        ],
    ],
    ids=["referred to", "referred to by another one"],
)
def test_what_is_referred_to_may_be_contained(contained: list[dict[str, Any]]) -> None:
    check_resource({"resourceType": "Patient", "contained": contained, **NAMED}, ("Patient",))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name[0]._given", [{"id": "x"}]),
        ("name[0]._given", [None, None]),
        ("identifier[0].system", "urn:uuid:6B1CD3B5-A6A2-4A5E-8F3E-000000000001"),
        ("identifier[0].system", "urn:oid:1.02.3"),
        ("identifier[0].system", "urn:x y"),
        ("photo", [{"contentType": "image"}]),
        ("photo", [{"contentType": "image/png\r\nX-Forged: 1"}]),
        ("photo", [{"contentType": "image/ünicode"}]),
        ("extension", [{"url": "urn:x", "valueQuantity": {"value": 1, "comparator": "~"}}]),
        ("extension", [{"url": "urn:x", "valueRatioRange": {"lowNumerator": {"value": 1}}}]),
        ("gender", "male\n"),
        ("name", [{"id": "x"}]),
        ("_deceasedBoolean", {"id": "x"}),
    ],
)
def test_what_the_classes_let_through_is_refused(path: str, value: Any) -> None:
    with pytest.raises(Invalid):
        check_resource(changed(samples.patient(), path, value), ("Patient",))
