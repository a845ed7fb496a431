"""What one version of a consent says, parsed: https://hl7.org/fhir/R4/consent.html reduced to what is decided on.

Only `fhir_mappings.consent` builds these from FHIR; it refuses whatever has no place here.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from gateway.domain.consent.period import Moment, Period
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier, Numbers, numbers_of


@dataclass(frozen=True, order=True)
class ConsentVersion:
    """Which consent, in which version, a decision rests on."""

    id: str
    version: int

    def __str__(self) -> str:
        return f"Consent {self.id} version {self.version}"


@dataclass(frozen=True)
class Coding:
    """A code in its system; compared exactly."""

    system: str
    code: str


@dataclass(frozen=True)
class Look:
    """What a resource of the clinic said of who it is: in `version`, 0 where there was none."""

    version: int
    identifiers: frozenset[Identifier] = frozenset()
    is_active: bool = True

    @cached_property
    def numbers(self) -> Numbers:
        """Its identifiers by system."""
        return numbers_of(self.identifiers)


@dataclass(frozen=True)
class NamedResource:
    """A resource that a consent names: as it was when that version of the consent was stored, and as it is now."""

    then: Look
    now: Look


@dataclass(frozen=True)
class PartyReference:
    """How a consent names somebody: literally (`Organization/12`), by a business identifier, or by both.

    Neither set (a bare display text) cannot be resolved. `resource` is what the reference leads to; None: not known.
    """

    reference: str = ""
    identifier: Identifier | None = None
    resource: NamedResource | None = None


class Effect(StrEnum):
    """Consent.provision.type: http://hl7.org/fhir/consent-provision-type"""

    PERMIT = "permit"
    DENY = "deny"


PERMIT: Final = Effect.PERMIT
DENY: Final = Effect.DENY
"""Named for the same reason as the answers of `answer`."""


class PolicyRule(StrEnum):
    """Consent.policyRule (v3-ActCode). OTHER is one that is not understood: such a consent does not count."""

    OPTIN = "OPTIN"
    OPTOUT = "OPTOUT"
    OTHER = "other"


@dataclass(frozen=True)
class Policy:
    """Under which policy a consent was given; it settles what the consent says where no provision says anything.

    `flows` are those of our own per-flow forms; `is_root_decisive` holds under a policy of IHE PCF.
    """

    rule: PolicyRule | None = None
    flows: frozenset[Flow] = frozenset()
    is_root_decisive: bool = False

    @property
    def is_of_form_alone(self) -> bool:
        """Whether a denial at the root only says that a form of our own was not agreed to; PCF means a dissent."""
        return bool(self.flows) and not self.is_root_decisive

    @property
    def is_known(self) -> bool:
        """Whether it is understood what a consent under this policy means."""
        if self.rule is PolicyRule.OTHER:
            return False
        return self.rule is not None or bool(self.flows) or self.is_root_decisive


@dataclass(frozen=True)
class Provision:
    """One rule. Inside an element any value matches, across elements all must; an empty element matches anything.

    `codes` holds one set of codings per CodeableConcept (translations of one meaning), `data` literal references to
    single resources, `labels` security labels. `type` is None only at the root.
    """

    type: Effect | None = None
    period: Period | None = None
    recipients: tuple[PartyReference, ...] = ()
    actions: frozenset[Coding] = frozenset()
    purposes: frozenset[Coding] = frozenset()
    classes: frozenset[str] = frozenset()
    codes: tuple[frozenset[Coding], ...] = ()
    data_period: Period | None = None
    data: frozenset[str] = frozenset()
    labels: frozenset[Coding] = frozenset()
    provisions: tuple["Provision", ...] = ()


@dataclass(frozen=True)
class AuthorityEnd:
    """Since when the authority that was recorded of a representative holds no longer: withdrawn, or run out."""

    at: datetime
    is_withdrawn: bool


@dataclass(frozen=True)
class Consent:
    """One version of a consent.

    `supersedes` holds ids of consents that a Provenance of revision says this one replaces. `is_by_representative` and
    `is_authority_recorded`: somebody else than the patient agreed, and a person has recorded that they may; where
    that holds no longer, `authority_end` tells since when. An inactive consent needs no more than identity, status and
    what it replaces. `stored_at` is since when this version is on file; None where that is not known. `unread` says
    what of a version on file cannot be read any more, '' where all can: it permits nothing, and may deny.
    """

    id: str
    version: int
    patient: PartyReference
    status: str
    scope: frozenset[Coding]
    policy: Policy
    has_signature_or_source: bool
    identifiers: frozenset[Identifier] = frozenset()
    date_time: Moment | None = None
    provision: Provision | None = None
    supersedes: frozenset[str] = frozenset()
    is_by_representative: bool = False
    is_authority_recorded: bool = False
    authority_end: AuthorityEnd | None = None
    stored_at: datetime | None = None
    unread: str = ""

    @property
    def key(self) -> ConsentVersion:
        """Its id and version."""
        return ConsentVersion(self.id, self.version)

    @property
    def root_effect(self) -> Effect | None:
        """What the root says: its own type (IHE PCF) or the policy rule's (R4 core); where they differ, deny."""
        said = self.provision.type if self.provision else None
        if said is DENY or self.policy.rule is PolicyRule.OPTOUT:
            return DENY
        if said is PERMIT or self.policy.rule is PolicyRule.OPTIN:
            return PERMIT
        return None
