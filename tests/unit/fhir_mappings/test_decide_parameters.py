"""Parameters of $decide: what is asked is exact, or refused by the name of what is wrong."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_mappings.decide_parameters import Question, answer_to_fhir, question_from_fhir
from fhir_mappings.validation import check_resource
from gateway.domain.consent import ConsentVersion, Outcome
from gateway.domain.consent.explanation import Explanation, Passage
from gateway.domain.consent.vocabulary import ACT_REASON
from gateway.domain.delivery import Hindrance
from gateway.domain.errors import GatewayError, Unprocessable
from gateway.domain.party import Identifier

CASE = {"name": "case", "valueReference": {"reference": "ServiceRequest/s1"}}
BOARD = {"name": "recipient", "valueReference": {"identifier": {"system": "urn:oid:1.2", "value": "board"}}}
PATIENT = {"name": "case", "valueReference": {"reference": "Patient/p1"}}
NODE = {"name": "endpoint", "valueString": "board-node"}


def _asked(*parameters: dict[str, Any]) -> Question:
    return question_from_fhir({"resourceType": "Parameters", "parameter": list(parameters)})


def test_by_recipient_with_purpose_and_moment() -> None:
    purpose = {"name": "purpose", "valueCoding": {"system": ACT_REASON, "code": "TREAT"}}
    asked = _asked(CASE, BOARD, purpose, {"name": "at", "valueDate": "2026-03-31"})
    assert asked == Question("s1", Identifier("urn:oid:1.2", "board"), "", "TREAT", "2026-03-31")


def test_by_endpoint() -> None:
    assert _asked(CASE, NODE, {"name": "purpose", "valueCode": "COC"}) == Question("s1", None, "board-node", "COC", "")


@pytest.mark.parametrize(
    ("parameters", "at"),
    [
        ([NODE], "Parameters.parameter"),
        ([CASE], "Parameters.parameter"),
        ([CASE, NODE, BOARD], "Parameters.parameter"),
        ([CASE, NODE, NODE], "Parameters.parameter[2].name"),
        ([CASE, NODE, {"name": "patient", "valueString": "x"}], "Parameters.parameter[2].name"),
        ([CASE, {"name": "endpoint", "valueCode": "x"}], "Parameters.parameter[1]"),
        (
            [{"name": "case", "valueReference": {"reference": "Patient/p1"}}, NODE],
            "Parameters.parameter[0].valueReference",
        ),
        ([CASE, {"name": "recipient", "valueReference": {"display": "x"}}], "Parameters.parameter[1].valueReference"),
        (
            [CASE, NODE, {"name": "purpose", "valueCoding": {"system": "urn:x", "code": "TREAT"}}],
            "Parameters.parameter[2].valueCoding",
        ),
    ],
)
def test_what_is_not_exact_is_refused(parameters: list[dict[str, Any]], at: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        _asked(*parameters)
    assert refused.value.at == at


@pytest.mark.parametrize("parameters", [None, [{}], [{"name": "case", "valueReference": {}}], [{"name": 7}], "x"])
def test_what_is_no_parameters_resource_is_refused_as_well(parameters: Any) -> None:
    with pytest.raises(GatewayError):
        question_from_fhir({"resourceType": "Parameters", "parameter": parameters})


def test_the_answer_is_a_parameters_resource() -> None:
    passages = (
        Passage(ConsentVersion("c1", 2), "Consent.provision", "It permits everything.", "It takes effect."),
        Passage(ConsentVersion("c2", 1), "Consent", "", "It does not count: its status is inactive."),
    )
    until, used = datetime(2026, 4, 1, tzinfo=UTC), (ConsentVersion("c1", 2),)
    permitted = Explanation(
        "ImagingStudy/s1", Outcome.PERMIT, "May it?", "Yes.", ("Consent c1 permits it.",), until, used, passages
    )
    denied = Explanation(
        "DocumentReference/d1", Outcome.DENY, "May that?", "No.", ("Nothing permits it.",), None, (), ()
    )
    closed = Hindrance("closed-case", "the case is closed")
    answer = answer_to_fhir(outcome="deny", answer="1 of 2 may leave.", hindrances=[closed], things=[permitted, denied])
    check_resource(answer, ("Parameters",))
    outcome, words, hindrance, first, second = answer["parameter"]
    assert (outcome["valueCode"], words["valueString"]) == ("deny", "1 of 2 may leave.")
    assert hindrance["part"] == [
        {"name": "code", "valueCode": "closed-case"},
        {"name": "reason", "valueString": "the case is closed"},
    ]
    assert [one["name"] for one in second["part"]] == ["about", "outcome", "question", "answer", "reason"]
    by_name = {one["name"]: one for one in first["part"]}
    assert (by_name["about"]["valueString"], by_name["outcome"]["valueCode"]) == ("ImagingStudy/s1", "permit")
    assert by_name["valid-until"]["valueInstant"] == "2026-04-01T00:00:00.000+00:00"
    assert by_name["consent"]["valueReference"] == {"reference": "Consent/c1/_history/2"}
    steps = [one["part"] for one in first["part"] if one["name"] == "step"]
    assert [[part["name"] for part in parts] for parts in steps] == [
        ["consent", "path", "says", "finding"],
        ["consent", "path", "finding"],
    ]
