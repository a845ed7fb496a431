"""Which of a clinic's records are one patient, by the merges that Patient.link tells of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.patient_links import Links, links_of
from gateway.domain.errors import NotFound, Unprocessable
from gateway.domain.party import Identifier
from gateway.domain.resource import StoredResource
from gateway.store import resources

MOST_RECORDS = 32
"""Records that can be one patient; more are no merge but a mistake, or worse."""

_NEWEST = 999_999_999
"""Above the number of any version."""


@dataclass(frozen=True)
class Person:
    """The ids of all records that are one patient by merges, and of those among them that were merged away.

    Where merges run in a circle every record of it was merged away, and none is left to order under.
    """

    records: frozenset[str]
    merged_away: frozenset[str]

    @property
    def surviving(self) -> tuple[str, ...]:
        """The records that are still a patient's."""
        return tuple(sorted(self.records - self.merged_away))

    @property
    def references(self) -> frozenset[str]:
        """Under which a consent may name the patient."""
        return frozenset(f"Patient/{one}" for one in self.records)


def person_of(connection: Connection, clinic_id: str, patient_id: str) -> Person:
    """Follow the links that merge, on either side, from this record to all that are the same patient.

    Raises Unprocessable for more than MOST_RECORDS, and for a link that names no Patient of the clinic.
    """
    records, merged_away, pending = set[str](), set[str](), [patient_id]
    while pending:
        current = pending.pop()
        if current in records:
            continue
        records.add(current)
        if len(records) > MOST_RECORDS:
            raise Unprocessable(f"more than {MOST_RECORDS} records are merged into one", at="Patient.link")
        for replaced, by in _merges(connection, clinic_id, current):
            merged_away.add(replaced)
            pending += [replaced, by]
    return Person(frozenset(records), frozenset(merged_away))


def merged_away_at(connection: Connection, clinic_id: str, patient_id: str) -> datetime:
    """Since when a record has said of this one that it was merged away, without a version in between that did not.

    A record that was destroyed says nothing any more; the others still do.
    """
    found = resources.referring(connection, clinic_id, "Patient", patient_id, parameter="other")
    saying = (said_since(connection, one, lambda said: patient_id in links_of(said).replaces) for one in found)
    own = resources.versions(connection, clinic_id, "Patient", patient_id, before=_NEWEST, at_most=1)
    own_words = (said_since(connection, one, lambda said: bool(links_of(said).replaced_by)) for one in own)
    return min(moment for moment in (*saying, *own_words) if moment is not None)


def said_since(
    connection: Connection, current: StoredResource, says: Callable[[dict[str, Any]], bool]
) -> datetime | None:
    """When the first of the versions was stored that say so one after the other up to this one; None if it does not."""
    since, version = None, current
    while says(version.content):
        since = version.stored_at
        earlier = resources.versions(
            connection, version.party_id, version.type, version.id, before=version.version, at_most=1
        )
        if not earlier:
            break
        version = earlier[0]
    return since


def identifiers_of(connection: Connection, clinic_id: str, person: Person) -> frozenset[Identifier]:
    """Every business identifier that any record of the patient has."""
    found = (resources.identifiers(connection, clinic_id, one) for one in sorted(person.records))
    return frozenset(identifier for of_one in found for identifier in of_one)


def is_same_person(connection: Connection, clinic_id: str, one: str, other: str) -> bool:
    """Whether both records are one patient by merges."""
    return other in person_of(connection, clinic_id, one).records


def linked_to(patient: StoredResource) -> tuple[str, ...]:
    """The ids of the records that this version merges itself with. Raises Unprocessable as `person_of` does."""
    links = links_of(patient.content)
    return tuple(sorted({*links.replaced_by, *links.replaces}))


def _merges(connection: Connection, clinic_id: str, patient_id: str) -> Iterator[tuple[str, str]]:
    """(replaced, by) of each merge that has to do with the record; a destroyed one says nothing any more."""
    yield from _said(patient_id, _links(connection, clinic_id, patient_id))
    for other in resources.referring(connection, clinic_id, "Patient", patient_id, parameter="other"):
        for pair in _said(other.id, links_of(other.content)):
            if patient_id in pair:
                yield pair


def _links(connection: Connection, clinic_id: str, patient_id: str) -> Links:
    try:
        return links_of(resources.current(connection, clinic_id, "Patient", patient_id).content)
    except NotFound:
        return Links()


def _said(by: str, links: Links) -> Iterator[tuple[str, str]]:
    for survivor in links.replaced_by:
        yield by, survivor
    for replaced in links.replaces:
        yield replaced, by
