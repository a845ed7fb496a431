"""Which of the clinic's own resources a consent names as recipients, and what those say of who they are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gateway.domain.consent.model import Consent, NamedResource, PartyReference, Provision
from gateway.domain.consent.request import PARTY_TYPES, local_type


def recipients_named(consent: Consent) -> Iterator[PartyReference]:
    """Everybody whom its provisions name, at any depth."""
    pending = [consent.provision] if consent.provision else []
    while pending:
        one = pending.pop()
        yield from one.recipients
        pending.extend(one.provisions)


def resources_named(consent: Consent) -> frozenset[str]:
    """The literal references (`Organization/12`) of it."""
    literal = {one.reference for one in recipients_named(consent)}
    return frozenset(one for one in literal if local_type(one) in PARTY_TYPES)


def with_resources(consent: Consent, known: Mapping[str, NamedResource]) -> Consent:
    """The same, those references with what they lead to as far as it is known."""
    return replace(consent, provision=_told(consent.provision, known)) if consent.provision else consent


def _told(provision: Provision, known: Mapping[str, NamedResource]) -> Provision:
    recipients = tuple(
        replace(one, resource=known[one.reference]) if one.reference in known else one for one in provision.recipients
    )
    return replace(
        provision, recipients=recipients, provisions=tuple(_told(one, known) for one in provision.provisions)
    )
