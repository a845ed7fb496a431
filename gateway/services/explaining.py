"""What the consents on file say of sending a case's things to somebody, and why; asked, and not acted on.

It stands on the same loading and the same decision as the exits (`consents.ground_of`, `consents.decide_on`), and asks
as they do: what would leave together is decided on together, and all else for itself. Of another moment it says what
the consents, representatives and transfers that are on file now say of it; what was decided then is in the story of the
case.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from fhir_mappings.codes import CONSULT_NOTE, LOINC
from gateway.domain.case import DocumentState
from gateway.domain.consent import Coding, Item, Outcome
from gateway.domain.consent.explanation import Explanation, explain, names_of, short_answer
from gateway.domain.consent.vocabulary import FLOW_PURPOSES
from gateway.domain.delivery import Flow, Hindrance
from gateway.domain.errors import NotFound, Unprocessable
from gateway.domain.party import Endpoint, Identifier, Party, PartyKind
from gateway.domain.record import Case
from gateway.services.consents import Disclosure, Ground, decide_on, ground_of, request_of
from gateway.services.core import Core
from gateway.services.dates import begin_of
from gateway.services.disclosure import document_item, order_item, report_item, study_item
from gateway.services.hindrances import hindrances
from gateway.store import audit, cases, parties, reports, studies
from gateway.store.engine import Database

TO_COME = "to-come"
"""Id of a report in the question whether one could be returned, as long as there is none."""


@dataclass(frozen=True)
class Explained:
    """A decision in words on each of the things that would leave for a recipient. `at` is the moment it speaks of.

    `outcome` is what the consents say: permit only where all of them are permitted; `answer` says how many are, where
    they differ. Where there are `hindrances`, now, nothing leaves in spite of a permit, and `answer` says that too.
    """

    case_id: str
    flow: Flow
    recipient: str
    at: datetime
    outcome: Outcome
    answer: str
    hindrances: tuple[Hindrance, ...]
    things: tuple[Explanation, ...]


def explain_to_person(core: Core, case_id: str, endpoint_name: str, *, moment: str, actor: str) -> Explained:
    """For an administrator: everything of the case that could go to that endpoint. `moment` is a FHIR date, '' now.

    Raises NotFound (case, endpoint), and Invalid (the moment, an endpoint of somebody else).
    """
    with core.database.read() as connection:
        case = cases.by_id(connection, case_id)
        recipient = _owner(connection, case, parties.endpoint_by_name(connection, endpoint_name))
        found = _explained(connection, case, recipient, moment, core.now())
    _remember(core.database, found, actor, core.now())
    return found


def explain_to_clinic(
    database: Database,
    clinic: Party,
    *,
    case_id: str,
    endpoint_name: str = "",
    recipients: Collection[Identifier] = (),
    purpose: str = "",
    moment: str = "",
    actor: str,
    now: datetime,
) -> Explained:
    """For the clinic that owns the case: the recipient is named by an endpoint or by identifiers.

    Whom the clinic can ask about is itself and the reviewer of the case; of others it does not learn that they exist.
    Raises NotFound (the case), and Unprocessable (a recipient, a purpose).
    """
    with database.read() as connection:
        case = cases.of_clinic(connection, clinic.id, case_id)
        if case is None:
            raise NotFound(f"no ServiceRequest/{case_id}")
        recipient = _named(connection, case, endpoint_name, recipients)
        accepted = FLOW_PURPOSES[_flow(recipient)]
        if purpose and purpose not in accepted:
            names = " or ".join(sorted(accepted))
            raise Unprocessable(f"the purpose opens nothing to this recipient; ask about {names}", at="purpose")
        found = _explained(connection, case, recipient, moment, now)
    _remember(database, found, actor, now)
    return found


def _flow(recipient: Party) -> Flow:
    return Flow.DISCLOSE_TO_REVIEWER if recipient.kind is PartyKind.REVIEWER else Flow.RETURN_TO_CLINIC


def _owner(connection: Connection, case: Case, endpoint: Endpoint) -> Party:
    if endpoint.party_id not in (case.clinic_id, case.reviewer_id):
        raise Unprocessable("nothing of the case goes there; name an endpoint of its clinic or its reviewer", at="to")
    return parties.party_by_id(connection, endpoint.party_id)


def _named(connection: Connection, case: Case, endpoint_name: str, recipients: Collection[Identifier]) -> Party:
    concerned = [parties.party_by_id(connection, one) for one in (case.clinic_id, case.reviewer_id) if one]
    for party in concerned:
        names = {one.name for one in parties.endpoints(connection, party_id=party.id)} if endpoint_name else set()
        if endpoint_name in names or set(party.identifiers) & set(recipients):
            return party
    raise Unprocessable("name the clinic or the reviewer of the case, by an identifier or an endpoint", at="recipient")


def _explained(connection: Connection, case: Case, recipient: Party, moment: str, now: datetime) -> Explained:
    clinic, flow = parties.party_by_id(connection, case.clinic_id), _flow(recipient)
    at = begin_of(moment, clinic, at="at") or now
    items = _disclosed(connection, case) if flow is Flow.DISCLOSE_TO_REVIEWER else _returned(connection, case, at)
    ground = ground_of(connection, case)
    things = tuple(_told(connection, case, ground, Disclosure(flow, recipient, (one,), ""), at) for one in items)
    outcomes = {one.outcome for one in things}
    worst = next(one for one in (Outcome.INDETERMINATE, Outcome.DENY, Outcome.PERMIT) if one in outcomes)
    going = sum(one.outcome is Outcome.PERMIT for one in things)
    mixed = f"{going} of {len(things)} may leave; each is answered for itself."
    answer = short_answer(worst) if len(outcomes) == 1 else mixed
    found = hindrances(connection, case, flow)
    nothing = f" Whatever the consents say, nothing leaves: {'; '.join(one.why for one in found)}." if found else ""
    return Explained(case.id, flow, recipient.name, at, worst, answer + nothing, found, things)


def _told(connection: Connection, case: Case, ground: Ground, asked: Disclosure, at: datetime) -> Explanation:
    """Of one delivery, or one read: each is a request of its own, as at its exit."""
    decision = decide_on(connection, case, ground, asked, now=at)
    if ground.foregone is not None:
        return Explanation(
            about=names_of(asked.items),
            outcome=decision.outcome,
            question=f"May anything leave for {asked.recipient.name}?",
            answer=short_answer(decision.outcome),
            reasons=decision.reasons,
            valid_until=None,
            consents=(),
            passages=(),
        )
    request = request_of(connection, case, ground, asked, now=at)
    return explain(ground.standing_at(at), request, decision)


def _disclosed(connection: Connection, case: Case) -> list[Item]:
    """The studies of the case, the documents that no person keeps from leaving, and the order, which may be read."""
    found = [study_item(connection, case, one) for one in studies.listed(connection, case_id=case.id)]
    documents = cases.documents(connection, case_id=case.id)
    going = [one for one in documents if one.state is not DocumentState.REJECTED]
    return [*found, *(document_item(connection, case, one) for one in going), order_item(connection, case)]


def _returned(connection: Connection, case: Case, at: datetime) -> list[Item]:
    """The versions of the report, or the one that would be signed at that moment."""
    if versions := reports.listed(connection, case.id):
        return [report_item(connection, case, one) for one in versions]
    zone = ZoneInfo(parties.party_by_id(connection, case.clinic_id).time_zone)
    code = frozenset({Coding(LOINC, CONSULT_NOTE)})
    return [Item(TO_COME, "DiagnosticReport", code, at.astimezone(zone).date(), labels=frozenset())]


def _remember(database: Database, found: Explained, actor: str, now: datetime) -> None:
    """In a transaction of its own, before the answer goes out."""
    used = sorted({f"Consent/{used.id}/_history/{used.version}" for one in found.things for used in one.consents})
    details = {"flow": found.flow, "to": found.recipient, "outcome": found.outcome, "consents": used}
    details |= {"hindrances": [one.code for one in found.hindrances]} if found.hindrances else {}
    with database.write("consent.explain") as connection:
        audit.record_of_case(connection, found.case_id, "consent.explain", at=now, actor=actor, details=details)
