"""Deliver one report so that the EHR ends with exactly one copy of it, proven by reading it back.

https://hl7.org/fhir/R4/http.html#create , #ccreate , #upsert , #concurrency
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fhir_mappings.primitives import ID
from gateway.domain.delivery import Receipt
from gateway.domain.errors import Ambiguous, Conflict, Full, Invalid, Permanent, Transient
from gateway.domain.hooks import reach
from gateway.domain.party import FhirAddress, Identifier
from workers.ehr.answer import PERHAPS_DONE, Answer, Resource, unclear
from workers.ehr.capability import CapabilityCache, TypeCapability, WriteStrategy, choose_strategy
from workers.ehr.client import Call, Session, Wiring
from workers.ehr.patient import find_patient
from workers.ehr.search import has_identifier, search_by_identifier, token
from workers.ehr.stored import (
    Expected,
    Stored,
    difference,
    expect_report,
    read_report,
    stored_report,
    written_id,
)


def deliver_report(  # noqa: PLR0913  # each is one fact of its own, told by name
    address: FhirAddress,
    build: Callable[[Resource], Resource],
    *,
    identifier: Identifier,
    patient_identifiers: Sequence[Identifier],
    before_send: Callable[[], None],
    wiring: Wiring,
    resource_id: str = "",
    stored_reference: str = "",
    read_back_first: bool = False,
    has_just_left: bool = False,
    is_amendment: bool = False,
    capabilities: CapabilityCache | None = None,
) -> Receipt:
    """Bring the report into the EHR and read it back; the receipt carries the SHA-256 of its PDF.

    `build` gets a Reference to the EHR's Patient and gives the DiagnosticReport. `before_send` is called immediately
    before each request but the one that asks what the EHR offers. `resource_id` is the id we would choose,
    `stored_reference` the reference of an earlier receipt. `read_back_first`: an earlier attempt ended unclear.
    `is_amendment`: an earlier version of the same `identifier` may be there and is to be replaced, never doubled.
    `capabilities` spares asking each time what the EHR offers. `has_just_left`: a worker that ended without a word may
    have sent it only now.

    Raises: Transient (nothing was stored, or storing again does no harm), Ambiguous (it may be stored: call again with
    `read_back_first`, after its `retry_after_s` at the earliest), Permanent (a person is needed), Invalid (`build` gave
    no deliverable report).
    """
    if resource_id and not ID.fullmatch(resource_id):
        raise Invalid("Not a FHIR id.", at="DiagnosticReport.id")
    cache = capabilities or CapabilityCache()
    with (
        Session(address, before_send=before_send, wiring=wiring) as session,
        cache.relied_on(session, address, wiring.clock(), is_asked_anew=read_back_first) as capability,
    ):
        strategy = choose_strategy(capability.report, has_resource_id=bool(resource_id))
        patient = find_patient(session, capability.patient, patient_identifiers)
        expected = expect_report(build(patient), identifier)
        delivery = _Delivery(session, capability.report, strategy, expected, resource_id, stored_reference)
        outcome = delivery.run(read_back_first=read_back_first, has_just_left=has_just_left, is_amendment=is_amendment)
    return Receipt(wiring.clock(), outcome.status, outcome.reference, expected.pdf_sha256, outcome.note)


@dataclass(frozen=True)
class _Outcome:
    status: str
    reference: str
    note: str = ""


@dataclass(frozen=True)
class _Delivery:
    session: Session
    offered: TypeCapability
    strategy: WriteStrategy
    expected: Expected
    resource_id: str
    stored_reference: str

    def run(self, *, read_back_first: bool, has_just_left: bool, is_amendment: bool) -> _Outcome:
        is_look_needed = read_back_first or is_amendment or self.strategy is not WriteStrategy.CONDITIONAL_CREATE
        stored = self._look() if is_look_needed and self._may_look() else None
        if stored is not None and is_amendment:
            return self._amend(stored)
        if stored is not None:
            return self._settle(stored, "HTTP 200", "was there already")
        if self.strategy is WriteStrategy.SINGLE_CREATE and read_back_first:
            reason = "The EHR offers neither an idempotent write nor a search; a person has to ask there."
            raise Ambiguous(reason, is_for_person=True)
        if self.strategy is WriteStrategy.SEARCH_THEN_CREATE and has_just_left:
            reason, wait_s = "A worker that is gone may have stored it just now.", self.session.look_again_after_s
            raise Ambiguous(reason, retry_after_s=wait_s)
        if is_amendment and not self._may_find_earlier():
            raise Permanent("The EHR offers no way to find the earlier version; a person has to replace the report.")
        try:
            return self._create()
        except Ambiguous as exc:
            if self.strategy is WriteStrategy.SEARCH_THEN_CREATE:  # a search too early finds nothing, and is believed
                exc.retry_after_s = max(exc.retry_after_s or 0.0, self.session.look_again_after_s)
            raise

    def _may_find_earlier(self) -> bool:
        """Under our own id a write replaces; elsewhere the earlier version has to be looked for first."""
        return self.strategy is WriteStrategy.UPDATE_CREATE or self._may_look()

    def _may_look(self) -> bool:
        return self.offered.may_search_by_identifier or (self.offered.may_read and bool(self._known_ids()))

    def _known_ids(self) -> list[str]:
        """Where the report may stand: under the id of an earlier receipt, or under ours if the EHR takes it."""
        parts = self.stored_reference.split("/")
        earlier = parts[1] if parts[0] == "DiagnosticReport" and len(parts) > 1 else ""
        ours = self.resource_id if self.strategy is WriteStrategy.UPDATE_CREATE else ""
        return [each for each in dict.fromkeys((earlier, ours)) if ID.fullmatch(each)]

    def _look(self) -> Stored | None:
        """The report with our identifier, under a known id or by search. Raises: Permanent when there are several."""
        for report_id in self._known_ids() if self.offered.may_read else ():
            stored = read_report(self.session, report_id)
            if stored is not None:
                return stored
        return self._search() if self.offered.may_search_by_identifier else None

    def _search(self) -> Stored | None:
        found = search_by_identifier(self.session, "DiagnosticReport", [self.expected.identifier], may_use_url=True)
        if len(found) > 1:
            raise Permanent("The EHR holds several reports with this identifier; a person has to remove all but one.")
        if not found:
            return None
        stored = stored_report(found[0])
        # A search may show a summary only; a read shows what is stored.
        return (read_report(self.session, stored.id) if self.offered.may_read else None) or stored

    def _create(self) -> _Outcome:
        if self.strategy is WriteStrategy.UPDATE_CREATE:
            return self._confirm(self._put(self.resource_id, version=""), self.resource_id)
        query = urlencode({"identifier": token(self.expected.identifier)})
        is_conditional = self.strategy is WriteStrategy.CONDITIONAL_CREATE
        answer = self._write(
            Call(
                "POST",
                "DiagnosticReport",
                resource={name: value for name, value in self.expected.resource.items() if name != "id"},
                headers={"If-None-Exist": query} if is_conditional else {},
                tolerated=frozenset({409, 412}) if is_conditional else frozenset(),
            )
        )
        if answer.status == 412:
            raise Permanent("The EHR holds several reports with this identifier; a person has to remove all but one.")
        if answer.status == 409:
            raise Transient("The EHR sees another write of the same report under way (HTTP 409).")
        return self._confirm(answer, written_id(answer))

    def _amend(self, stored: Stored) -> _Outcome:
        if not has_identifier(stored.resource, self.expected.identifier):
            raise Permanent(f"{stored.reference} is another report by now; a person has to look in the EHR.")
        if not difference(self.session, stored, self.expected):
            return _Outcome("HTTP 200", stored.reference, "was there already")
        if "update" not in self.offered.interactions:
            raise Permanent("The EHR offers no update; a person has to replace the earlier version of this report.")
        return self._confirm(self._put(stored.id, version=stored.version), stored.id)

    def _put(self, report_id: str, *, version: str) -> Answer:
        answer = self._write(
            Call(
                "PUT",
                f"DiagnosticReport/{report_id}",
                resource={**self.expected.resource, "id": report_id},
                headers={"If-Match": f'W/"{version}"'} if version else {},
                tolerated=frozenset({409, 412}) if version else frozenset({409}),
            )
        )
        if answer.status in (409, 412):
            raise Transient(f"The report was changed in the EHR meanwhile (HTTP {answer.status}); it is read again.")
        return answer

    def _write(self, call: Call) -> Answer:
        """What was answered. Raises Ambiguous for a 5xx after which it may be stored, be it a condition or not.

        Repeating a conditional create should do no harm, but what stands between may drop the condition, and at the
        deadline nobody must take it for not arrived.
        """
        reach("report_to_ehr.before_send")
        answer = self.session.send(
            Call(
                call.method,
                call.path,
                resource=call.resource,
                headers={"Prefer": "return=representation", **call.headers},
                is_write=True,
                tolerated=call.tolerated | PERHAPS_DONE,
            )
        )
        reach("report_to_ehr.after_send")
        if answer.status in PERHAPS_DONE:
            raise unclear(answer, self.session.now())
        return answer

    def _confirm(self, answer: Answer, report_id: str) -> _Outcome:
        """Read back what a 2xx says was stored. A failure to look is unclear, never a reason to send again blindly."""
        try:
            stored = self._read_back(report_id)
            if stored is not None:
                return self._settle(
                    stored, f"HTTP {answer.status}", "was there already" if self._is_match(answer) else ""
                )
        except (Conflict, Full, Transient) as exc:
            raise Ambiguous(f"HTTP {answer.status}, and reading the report back failed: {exc}") from exc
        except Permanent as exc:
            if self.strategy is not WriteStrategy.SINGLE_CREATE:
                raise
            raise Ambiguous(f"HTTP {answer.status}. {exc}", is_for_person=True) from exc  # a retry would be blind
        may_read = bool(self.offered.may_read and report_id)
        if may_read or self.offered.may_search_by_identifier or answer.status != 201:
            # Where only a search can look, its index may lag behind, and sending again could make a second report.
            is_blind = not may_read and self.strategy is WriteStrategy.SEARCH_THEN_CREATE
            sentence = f"The EHR answered HTTP {answer.status}, and the report is not there when read back."
            raise Ambiguous(sentence, is_for_person=is_blind)
        reference = f"DiagnosticReport/{report_id}" if report_id else ""
        return _Outcome("HTTP 201", reference, "not read back: the EHR offers no way to look")

    def _is_match(self, answer: Answer) -> bool:
        return self.strategy is WriteStrategy.CONDITIONAL_CREATE and answer.status == 200

    def _read_back(self, report_id: str) -> Stored | None:
        if report_id and self.offered.may_read:
            return read_report(self.session, report_id)
        return self._search() if self.offered.may_search_by_identifier else None

    def _settle(self, stored: Stored, status: str, note: str) -> _Outcome:
        wrong = difference(self.session, stored, self.expected)
        if wrong:
            raise Permanent(f"The EHR stored the report {wrong} ({stored.reference}); a person has to look there.")
        return _Outcome(status, stored.reference, note)
