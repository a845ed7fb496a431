"""What the patient of a case has agreed to, a line for each rule of each consent, never who the patient is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.consent_on_file import consent_on_file
from gateway.domain.consent import Consent, Effect, PartyReference, Period, Provision
from gateway.domain.party import Party
from gateway.domain.resource import StoredResource
from gateway.services.core import Core
from gateway.services.merges import person_of
from gateway.store import cases, parties, resources

_UNREAD = "cannot be read"


@dataclass(frozen=True)
class ConsentLine:
    """One rule of the current version of a consent, with what the rules around it demand; `flow` `any`: not limited.

    `recipient` and `purpose` are empty where the rule names none, `effect` where it says neither permit nor deny; of a
    consent that cannot be read it says that.
    """

    id: str
    version: int
    status: str
    effect: str
    flow: str
    recipient: str
    purpose: str
    period: str
    stored_at: datetime
    client_id: str


def consent_lines(core: Core, case_id: str) -> list[ConsentLine]:
    """The consents of the case's patient, under every record that is theirs. Raises NotFound (the case)."""
    with core.database.read() as connection:
        case = cases.by_id(connection, case_id)
        records = person_of(connection, case.clinic_id, case.patient_id).records
        stored = resources.referring_to_any(connection, case.clinic_id, "Consent", records, parameter="patient")
        registered = parties.parties(connection)
        return [line for one in stored for line in _lines(connection, one, registered)]


def _lines(connection: Connection, stored: StoredResource, registered: Sequence[Party]) -> Iterator[ConsentLine]:
    consent = consent_on_file(stored.content, id=stored.id, version=stored.version)
    for effect, rule in _rules(consent):
        yield ConsentLine(
            id=stored.id,
            version=stored.version,
            status=consent.status,
            effect=_UNREAD if consent.unread else effect or "",
            flow=" or ".join(sorted(consent.policy.flows)) or "any",
            recipient=" or ".join(_name(connection, stored.party_id, one, registered) for one in rule.recipients),
            purpose=" or ".join(sorted(one.code for one in rule.purposes)),
            period=_written(rule.period),
            stored_at=stored.stored_at,
            client_id=stored.client_id,
        )


def _rules(consent: Consent) -> Iterator[tuple[Effect | None, Provision]]:
    """The root and what is nested in it; a root that says nothing itself is left out where something is nested."""
    root = consent.provision or Provision()
    if consent.root_effect or not root.provisions:
        yield consent.root_effect, root
    yield from _nested(root)


def _nested(around: Provision) -> Iterator[tuple[Effect | None, Provision]]:
    for own in around.provisions:
        rule = replace(
            own,
            recipients=own.recipients or around.recipients,
            purposes=own.purposes or around.purposes,
            period=own.period or around.period,
        )
        yield rule.type, rule
        yield from _nested(rule)


def _name(connection: Connection, clinic_id: str, named: PartyReference, registered: Sequence[Party]) -> str:
    """The registered party, or else what the consent calls it."""
    carried = resources.identifiers(connection, clinic_id, named.reference.rpartition("/")[2])
    identifiers = {*carried, named.identifier}
    known = [party.name for party in registered if identifiers.intersection(party.identifiers)]
    if known:
        return known[0]
    return f"{named.identifier.system}|{named.identifier.value}" if named.identifier else named.reference or "unnamed"


def _written(period: Period | None) -> str:
    if period is None:
        return ""
    start, end = (bound.text if bound else "" for bound in (period.start, period.end))
    return f"{start}/{end}"
