"""What would leave, to whom, why and when: everything the decision is asked about."""

import datetime
from dataclasses import dataclass, field
from functools import cached_property

from gateway.domain.consent.answer import NO, UNKNOWN, YES, Match
from gateway.domain.consent.model import Coding, Look, NamedResource
from gateway.domain.consent.transfer import TransferInstrument
from gateway.domain.consent.vocabulary import EGRESS_ACTIONS
from gateway.domain.delivery import Flow
from gateway.domain.moments import require_aware
from gateway.domain.party import Identifier, Numbers, numbers_of

PARTY_TYPES = frozenset({"Organization", "Practitioner", "PractitionerRole"})
"""What a recipient may be in the clinic's own resources."""


@dataclass(frozen=True)
class Recipient:
    """The party that would receive, under every name a consent may use for it.

    `references` are literal (`Organization/12`; an absolute form may stand beside it). For a PractitionerRole the two
    `organization_` sets name the Organization it works for: a consent naming that covers the role. An Organization has
    none, so that neither a role in it nor the whole it is a department of can ever stand for it.
    """

    identifiers: frozenset[Identifier]
    references: frozenset[str]
    country: str
    organization_identifiers: frozenset[Identifier] = frozenset()
    organization_references: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        is_organization = any(resource_type(one) == "Organization" for one in self.references)
        if is_organization and (self.organization_identifiers or self.organization_references):
            raise ValueError("an Organization is not covered by another one; list it in the consent itself")
        if any(resource_type(one) != "Organization" for one in self.organization_references):
            raise ValueError("organization_references names something else than an Organization")

    @cached_property
    def all_identifiers(self) -> frozenset[Identifier]:
        """Identifiers by which a consent reaches this recipient."""
        return self.identifiers | self.organization_identifiers

    @cached_property
    def numbers(self) -> Numbers:
        """The same by system."""
        return numbers_of(self.all_identifiers)

    @cached_property
    def all_references(self) -> frozenset[str]:
        """Literal references by which a consent reaches this recipient."""
        return self.references | self.organization_references

    def is_another(self, kind: str) -> bool:
        """Whether a local reference of that type which is none of its own is surely somebody else, by its type alone.

        Of groups the members are not known. An Organization, a Practitioner or a role may be the recipient under
        another record: that is for what it carries to tell.
        """
        return bool(self._local_types) and kind not in PARTY_TYPES and kind not in ("Group", "CareTeam")

    def is_named_by(self, kind: str, named: NamedResource) -> Match:
        """Whether a resource of that type is this recipient: then and now, or neither then nor now, else not known."""
        then = self._seen(kind, named.then)
        return then if named.now is named.then or self._seen(kind, named.now) is then else UNKNOWN

    def _seen(self, kind: str, look: Look) -> Match:
        """Whom one look at it shows: by one of its identifiers them, by others of the same system somebody else."""
        known, is_comparable = self.numbers if kind == "Organization" else self._own_numbers, False
        for system, values in look.numbers.items():
            if system in known:
                is_comparable = True
                if not known[system].isdisjoint(values):
                    return YES if look.is_active else UNKNOWN
        return NO if is_comparable and self._may_be_compared(kind) else UNKNOWN

    def _may_be_compared(self, kind: str) -> bool:
        """Of a person the roles are not known, of a role not the person, nor the Organization if none is given."""
        types = self._local_types
        is_same_person_possible = {kind} | types >= {"Practitioner", "PractitionerRole"}
        return kind in types or (bool(types) and kind != "Organization" and not is_same_person_possible)

    @cached_property
    def _own_numbers(self) -> Numbers:
        return numbers_of(self.identifiers)

    @cached_property
    def _local_types(self) -> frozenset[str]:
        return frozenset(filter(None, map(local_type, self.all_references)))


@dataclass(frozen=True)
class Item:
    """One thing that would leave: an instance, a document, a report, an entry, an attachment.

    `codes` are what it says it is (none: not known), `mentions` the codes of its other elements, which do not tell what
    it is not. `date` is its clinical date (None: not known). `references` are the literal references a consent may name
    it by; by itself it goes by `resource_class/id`. `labels` are its security labels
    (https://hl7.org/fhir/R4/security-labels.html); none: nobody has labelled it, so they are not known.
    """

    id: str
    resource_class: str
    codes: frozenset[Coding] = frozenset()
    date: datetime.date | None = None
    references: frozenset[str] = frozenset()
    labels: frozenset[Coding] = field(kw_only=True)
    mentions: frozenset[Coding] = field(default=frozenset(), kw_only=True)

    @cached_property
    def all_references(self) -> frozenset[str]:
        """Literal references by which a consent may name it."""
        return self.references | {f"{self.resource_class}/{self.id}"}


@dataclass(frozen=True)
class DisclosureRequest:
    """May these items leave? Every item that would leave has to be listed: contained, attached and entered ones too.

    `patient_references` and `patient_identifiers` are those of the patient after merges are resolved. `zone` is the
    custodian's time zone, in which a consent's plain dates are read, `custodian_country` (ISO 3166-1 alpha-2) the
    country that the data would leave, `transfer_instruments` those on record from there to this recipient.
    `payload_sha256` is the hash of the bytes that would leave; empty where they are not made yet. Raises ValueError
    where `now` is naive.
    """

    flow: Flow
    patient_references: frozenset[str]
    patient_identifiers: frozenset[Identifier]
    recipient: Recipient
    items: tuple[Item, ...]
    now: datetime.datetime
    zone: datetime.tzinfo
    payload_sha256: str
    custodian_country: str
    transfer_instruments: tuple[TransferInstrument, ...]
    actions: frozenset[str] = EGRESS_ACTIONS

    def __post_init__(self) -> None:
        require_aware(now=self.now)


def resource_type(reference: str) -> str:
    """`Organization` of `Organization/12` or `https://host/fhir/Organization/12`; empty where it is not literal."""
    parts = reference.split("/")
    return parts[-2] if len(parts) > 1 and parts[-2].isalpha() and parts[-1] else ""


def local_type(reference: str) -> str:
    """The same for a relative reference; empty for an absolute one too."""
    return resource_type(reference) if reference.count("/") == 1 else ""
