"""POST /fhir/Consent/$decide: what the consents on file say of sending a case's things to somebody. Nothing is sent."""

from flask import Response

from fhir_mappings.decide_parameters import answer_to_fhir, question_from_fhir
from gateway.domain.errors import Forbidden
from gateway.domain.party import PartyKind
from gateway.services.explaining import explain_to_clinic
from gateway.web.edge import Edge
from gateway.web.fhir.authentication import current_caller
from gateway.web.fhir.representation import json_response, read_resource


def run(edge: Edge, resource_type: str) -> Response:  # noqa: ARG001 - the route names it
    """200 with Parameters, for the clinic whose case it is; 404 for any other case."""
    caller = current_caller()
    if caller.party.kind is not PartyKind.CLINIC:
        raise Forbidden("a clinic's client may ask this")
    asked = question_from_fhir(read_resource(edge, "Parameters"))
    found = explain_to_clinic(
        edge.database,
        caller.party,
        case_id=asked.case_id,
        endpoint_name=asked.endpoint,
        recipients=() if asked.recipient is None else (asked.recipient,),
        purpose=asked.purpose,
        moment=asked.moment,
        actor=caller.client_id,
        now=edge.now(),
    )
    answer = answer_to_fhir(
        outcome=found.outcome, answer=found.answer, hindrances=found.hindrances, things=found.things
    )
    return json_response(answer)
