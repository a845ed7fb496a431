"""Whom a consent means by a resource of the clinic: what that carried when the consent was stored, and carries now."""

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from gateway.domain.party import Identifier
from gateway.services import accounting, egress
from gateway.services.resources import store_internal
from gateway.store import deliveries
from gateway.store.tables import audit
from tests.unit.gateway.services.consent_acts import consent
from tests.unit.gateway.services.scenery import DISCLOSE, REVIEWER, Scenery

INSURER = replace(REVIEWER, value="insurer")
ELSEWHERE = Identifier("https://elsewhere.example", "9")
ROLE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
TREATMENT = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]


def organization(scenery: Scenery, *identifiers: Identifier, of: str = "", **elements: Any) -> str:
    """A new one with these, or a new version of it, without what it sets in motion; gives its reference."""
    content: dict[str, Any] = {"resourceType": "Organization", "name": "x", **elements}
    content |= (
        {"identifier": [{"system": one.system, "value": one.value} for one in identifiers]} if identifiers else {}
    )
    scenery.clock.forward(seconds=1)
    with scenery.core.database.write("test") as connection:
        head = {"id": of.rpartition("/")[2]} if of else {}
        stored = store_internal(connection, "ankara", content | head, now=scenery.clock())
    scenery.clock.forward(seconds=1)
    return f"Organization/{stored.id}"


def permit(scenery: Scenery, reference: str, **more: Any) -> str:
    actor = [{"role": ROLE, "reference": {"reference": reference}}]
    return consent(scenery, DISCLOSE, provision={"type": "permit", "actor": actor, "purpose": TREATMENT}, **more)


def deny(scenery: Scenery, reference: str) -> str:
    """A dissent beside the demo's permit, which names the reviewer's identifier."""
    consent(scenery, DISCLOSE)
    actor = [{"role": ROLE, "reference": {"reference": reference}}]
    rule = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]}
    inner = {"type": "deny", "actor": actor}
    number = [{"system": "urn:form", "value": "dissent"}]
    own: dict[str, Any] = {"policyRule": rule, "identifier": number, "provision": {"provision": [inner]}}
    return consent(scenery, DISCLOSE, without=("policy",), **own)


def leaves(scenery: Scenery) -> bool:
    return egress.grant(scenery.core, scenery.images("1.1").id) is not None


def test_a_denial_does_not_end_where_another_organization_comes_with_the_identifier(scenery: Scenery) -> None:
    deny(scenery, organization(scenery))
    images = scenery.images("1.1")
    assert egress.grant(scenery.core, images.id) is None
    organization(scenery, REVIEWER)
    assert egress.grant(scenery.core, images.id) is None


def test_nor_where_the_one_that_is_named_carries_what_cannot_be_compared(scenery: Scenery) -> None:
    deny(scenery, organization(scenery, ELSEWHERE))
    organization(scenery, REVIEWER)
    assert not leaves(scenery)


def test_a_denial_of_another_one_denies_nothing(scenery: Scenery) -> None:
    organization(scenery, REVIEWER)
    deny(scenery, organization(scenery, INSURER, ELSEWHERE))
    assert leaves(scenery)


def test_a_denial_stays_where_the_identifier_is_taken_away_and_given_to_another(scenery: Scenery) -> None:
    named = organization(scenery, REVIEWER)
    deny(scenery, named)
    organization(scenery, INSURER, of=named)
    organization(scenery, REVIEWER)
    assert not leaves(scenery)


def test_a_denial_hits_whoever_the_resource_is_now(scenery: Scenery) -> None:
    named = organization(scenery, INSURER)
    deny(scenery, named)
    organization(scenery, REVIEWER, of=named)
    assert not leaves(scenery)


def test_a_permit_does_not_follow_the_identifier(scenery: Scenery) -> None:
    named = organization(scenery, INSURER)
    given = permit(scenery, named)
    organization(scenery, REVIEWER, of=named)
    images = scenery.images("1.1")
    assert egress.grant(scenery.core, images.id) is None
    permit(scenery, named, of=given)
    assert egress.grant(scenery.core, images.id) is not None


def test_a_permit_ends_with_the_identifier_and_comes_back_with_it(scenery: Scenery) -> None:
    named = organization(scenery, REVIEWER)
    permit(scenery, named)
    images = scenery.images("1.1")
    organization(scenery, INSURER, of=named)
    assert egress.grant(scenery.core, images.id) is None
    organization(scenery, REVIEWER, of=named)
    assert egress.grant(scenery.core, images.id) is not None


def test_a_permit_to_one_that_is_not_active_is_none(scenery: Scenery) -> None:
    named = organization(scenery, REVIEWER)
    permit(scenery, named)
    organization(scenery, REVIEWER, of=named, active=False)
    assert not leaves(scenery)


def test_which_versions_told_who_is_meant_is_kept_with_decision_grant_and_accounting(scenery: Scenery) -> None:
    named = organization(scenery, REVIEWER)
    given = permit(scenery, named)
    organization(scenery, REVIEWER, of=named, name="y")
    images = scenery.images("1.1")
    assert egress.grant(scenery.core, images.id) is not None
    with scenery.core.database.read() as connection:
        kept = deliveries.last_decision(connection, images.id)
        granted = connection.execute(select(audit.c.details).where(audit.c.action == "egress.granted")).scalar_one()
    said = (
        f"{named} that Consent {given} version 1 names was read in version 1, of when that was stored, and 2, of now."
    )
    assert kept is not None
    assert kept.reasons[-1] == said
    read = [f"{named}/_history/1", f"{named}/_history/2"]
    assert granted["named"] == read
    (told,) = accounting.accounting_of_case(scenery.core, scenery.case.id, since=None).disclosures
    assert told.consents == (f"{given}/1", *read)
