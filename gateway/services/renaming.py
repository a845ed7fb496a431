"""An Organization, a Practitioner or a role says something else of who it is: consents that name it mean somebody else.

What waits under them is decided anew, and what left under them and is not permitted any more is recalled, as at a new
version of a consent and in the transaction that stores the change. Looked at are the cases of the patients whose
consents name it, which may not be too many for one transaction, and those of its reviewer from which anything may
still leave.
"""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection

from gateway.domain.consent import Look
from gateway.domain.errors import Unprocessable
from gateway.domain.party import PartyKind
from gateway.domain.record import Case
from gateway.domain.resource import StoredResource
from gateway.services.consents import Ground, read_consents
from gateway.services.merges import person_of
from gateway.services.named import NOWHERE, look_of
from gateway.services.revocation import Change, patient_of_consent, reconsider_case, redecide_case
from gateway.store import audit, cases, parties, resources

MOST_CONSENTS = 1000
"""That may name one resource whose identifiers change: some seconds of one transaction."""

_TOO_MANY = (
    f"more than {MOST_CONSENTS} consents name this resource, and would mean somebody else; leave its identifiers and "
    "active as they are, store another resource, and name that one in new consents"
)
_Naming = dict[str, list[StoredResource]]
"""By the id of a patient's record the consents of the patient that name the resource."""


def resource_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a version of one of them, in the transaction that stores it and serialised with every grant.

    Identifiers in a system in which no party is registered tell nothing, and set nothing in motion. Raises
    Unprocessable where more than MOST_CONSENTS consents name it.
    """
    systems = parties.systems(connection)
    was, now = (_as_told(look, systems) for look in (_look_before(connection, stored), look_of(stored)))
    if (was.identifiers, was.is_active) == (now.identifiers, now.is_active):
        return
    if resources.count_referring(connection, stored.id, "actor") > MOST_CONSENTS:
        raise Unprocessable(_TOO_MANY, at=stored.type)
    naming = _naming(connection, stored)
    for case in _locked(connection, stored, naming, was, now):
        consents = naming.get(case.patient_id, [])
        _record(connection, case, stored, consents)
        if consents:
            reconsider_case(connection, case, [_change(connection, one, stored, was) for one in consents])
        else:
            redecide_case(connection, case, stage="consent", now=stored.stored_at)


def _as_told(look: Look, systems: frozenset[str]) -> Look:
    return replace(look, identifiers=frozenset(one for one in look.identifiers if one.system in systems))


def _look_before(connection: Connection, stored: StoredResource) -> Look:
    if stored.version == 1:
        return NOWHERE
    return look_of(resources.version(connection, stored.party_id, stored.type, stored.id, stored.version - 1))


def _naming(connection: Connection, stored: StoredResource) -> _Naming:
    found: _Naming = {}
    for consent in resources.referring(connection, stored.party_id, "Consent", stored.id, parameter="actor"):
        found.setdefault(patient_of_consent(connection, consent), []).append(consent)
    people = [(person_of(connection, stored.party_id, patient), consents) for patient, consents in found.items()]
    by_record: _Naming = {}
    for person, consents in people:
        for record in person.records:
            by_record.setdefault(record, []).extend(consents)
    return by_record


def _locked(connection: Connection, stored: StoredResource, naming: _Naming, was: Look, now: Look) -> list[Case]:
    """Newest first, the order in which cases are locked everywhere."""
    of_patients = cases.listed(connection, patient_ids=naming, clinic_id=stored.party_id) if naming else []
    found = {case.id: case for case in (*of_patients, *_of_reviewers(connection, stored, was, now))}
    in_order = sorted(found.values(), key=lambda case: (-case.created_at.timestamp(), case.id))
    return [cases.lock(connection, case.id) for case in in_order]


def _of_reviewers(connection: Connection, stored: StoredResource, was: Look, now: Look) -> Iterator[Case]:
    """Of those who are reached by one of its own, from now on or no more."""
    is_same = was.is_active == now.is_active
    for identifier in was.identifiers ^ now.identifiers if is_same else was.identifiers | now.identifiers:
        reviewer = parties.party_by_identifier(connection, [identifier], PartyKind.REVIEWER)
        if reviewer is not None:
            yield from cases.undecided(connection, reviewer.id, clinic_id=stored.party_id)


def _change(connection: Connection, consent: StoredResource, stored: StoredResource, was: Look) -> Change:
    """Of one consent: before, the resource was what its version before this one said."""
    reference, clinic_id = f"{stored.type}/{stored.id}", stored.party_id

    def before(ground: Ground) -> Ground:
        known = [resources.current(connection, clinic_id, "Consent", one.id) for one in ground.consents]
        return replace(ground, consents=read_consents(connection, clinic_id, known, instead={reference: was}))

    return Change(consent, stored.stored_at, stored.client_id, before)


def _record(connection: Connection, case: Case, stored: StoredResource, consents: list[StoredResource]) -> None:
    audit.record(
        connection,
        at=stored.stored_at,
        actor=stored.client_id,
        case_id=case.id,
        patient_id=case.patient_id,
        action="consent.party-changed",
        subject=f"{stored.type}/{stored.id}/_history/{stored.version}",
        details={"naming": sorted(f"{one.id}/{one.version}" for one in consents)},
    )
