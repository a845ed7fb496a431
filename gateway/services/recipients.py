"""Under which names a consent of a clinic's patient reaches a registered party."""

from sqlalchemy import Connection

from gateway.domain.consent import Recipient
from gateway.domain.party import Party
from gateway.store import parties, resources

_ORGANIZATION = "Organization/"


def recipient_named(connection: Connection, clinic_id: str, party: Party) -> Recipient:
    """The identifiers that an administrator registered, and the clinic's resources that carry one of them now.

    What a resource carried when a consent named it is read with the consents (`named`).

    The organisation of a reviewer, too, is the one that was registered. What the clinic's own PractitionerRole says of
    it is not read: a consent to a whole organisation would then reach whomever the clinic calls its member afterwards.
    Who is an organisation is covered by no other one (https://hl7.org/fhir/R4/organization.html#bnc).
    """
    references = frozenset(resources.carrying(connection, clinic_id, party.identifiers))
    identifiers = frozenset(party.identifiers)
    organizations = parties.organizations(connection, party.id)
    if not organizations or any(one.startswith(_ORGANIZATION) for one in references):
        return Recipient(identifiers, references, party.country)
    carrying = resources.carrying(connection, clinic_id, organizations)
    whole = frozenset(one for one in carrying if one.startswith(_ORGANIZATION))
    return Recipient(identifiers, references, party.country, frozenset(organizations), whole)
