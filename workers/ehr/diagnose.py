"""The connection test of an EHR endpoint: each step, what came of it, and what to do where it failed."""

from collections.abc import Callable

from gateway.domain.diagnosis import Step
from gateway.domain.errors import GatewayError, Permanent
from gateway.domain.party import FhirAddress
from gateway.reachability import reach_host
from workers.ehr.auth import is_protected
from workers.ehr.capability import Capability, choose_strategy, read_capability
from workers.ehr.client import Call, Session, Wiring, base_url

_PROBE = "https://consilium.example/fhir/connection-test|none"
"""An identifier that nothing has: the search shows whether our credentials hold, and returns nobody."""


def diagnose(address: FhirAddress, *, wiring: Wiring, timeout_s: float = 5.0) -> list[Step]:
    """Name, TCP, TLS, HTTP, /metadata, what is offered, and the token; ends where going on makes no sense.

    It sends no patient data and stores nothing. All steps ok does not promise that a report will be accepted.
    """
    try:
        url = base_url(address)
    except Permanent as exc:
        return [Step("base URL", False, str(exc), "Register the FHIR base URL, as in https://ehr.clinic.example/fhir.")]
    is_tls = url.scheme == "https"
    port = url.port or (443 if is_tls else 80)
    steps = reach_host(url.host, port, is_tls=is_tls, ca_file=address.ca_file, timeout_s=timeout_s)
    if not all(step.is_ok for step in steps):
        return steps
    if not is_tls:
        steps.append(Step("TLS certificate", True, "Not encrypted (http).", "Use https outside of one machine."))
    return steps + diagnose_fhir(address, wiring=wiring)


def diagnose_fhir(address: FhirAddress, *, wiring: Wiring) -> list[Step]:
    """The steps above the transport: token, HTTP and /metadata, offers, and whether the token is accepted."""
    steps: list[Step] = []
    try:
        with Session(address, before_send=_send_nothing_personal, wiring=wiring) as session:
            if not _try(steps, "token", lambda: _fetch_token(session, address)):
                return steps
            found: list[Capability] = []
            if _try(steps, "metadata", lambda: _describe_metadata(session, found)):
                steps += _offers(found[0])
                if found[0].report.may_search_by_identifier:
                    _try(steps, "access", lambda: _probe(session))
    except Permanent as exc:  # the session itself: a CA file that cannot be read
        steps.append(Step("TLS certificate", False, str(exc), "Name a readable PEM file."))
    return steps


def _try(steps: list[Step], name: str, action: Callable[[], str]) -> bool:
    try:
        steps.append(Step(name, True, action()))
    except GatewayError as exc:
        remedy = {
            "token": "Check token_file, or token_url, client_id and client_secret_file of this endpoint.",
            "metadata": "Check that the base URL is the one under which /metadata answers with FHIR R4 JSON.",
            "access": "Ask the EHR's administrator to let this client search and write DiagnosticReport.",
        }[name]
        steps.append(Step(name, False, str(exc), remedy))
    return steps[-1].is_ok


def _fetch_token(session: Session, address: FhirAddress) -> str:
    session.token()
    return "A token is at hand." if is_protected(address) else "None is configured."


def _describe_metadata(session: Session, found: list[Capability]) -> str:
    capability = read_capability(session)
    found.append(capability)
    return f"FHIR {capability.fhir_version}, {capability.software or 'software not named'}."


def _offers(capability: Capability) -> list[Step]:
    report, patient = capability.report, capability.patient
    listed = ", ".join(sorted(filter(None, report.interactions))) or "nothing"
    try:
        strategy = choose_strategy(report, has_resource_id=True)
        is_seen = report.may_read or report.may_search_by_identifier
        remedy = "" if is_seen else "Ask for read or search: without them a lost answer has to be settled by a person."
        steps = [Step("DiagnosticReport", True, f"Offers {listed}. Reports are written by: {strategy}.", remedy)]
    except Permanent as exc:
        steps = [Step("DiagnosticReport", False, f"Offers {listed}.", str(exc))]
    if patient.may_search_by_identifier:
        return [*steps, Step("Patient", True, "Can be searched by identifier.")]
    return [*steps, Step("Patient", True, "No search by identifier: reports name the patient by identifier only.")]


def _probe(session: Session) -> str:
    session.send(Call("GET", "DiagnosticReport", query={"identifier": _PROBE, "_count": "1"})).expect("Bundle")
    return "The EHR accepts our credentials."


def _send_nothing_personal() -> None:
    """A connection test needs no egress grant: none of its calls carries patient data."""
