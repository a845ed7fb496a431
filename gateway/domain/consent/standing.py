"""Which consents count: active, in scope, under a known policy, this patient's, and not replaced.

One that nobody signed, that is dated after now, or that a representative gave on no recorded authority, permits
nothing; its denials count. Of one on file that cannot be read any more nobody knows what it denies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.domain.consent.answer import NO, UNKNOWN, YES, Match
from gateway.domain.consent.match import patient_match
from gateway.domain.consent.model import Coding, Consent
from gateway.domain.consent.period import DISTANT_PAST, FAR_FUTURE
from gateway.domain.consent.request import DisclosureRequest
from gateway.domain.consent.vocabulary import CONSENT_SCOPE, PATIENT_PRIVACY

_PRIVACY = Coding(CONSENT_SCOPE, PATIENT_PRIVACY)
_ENDING = frozenset({"inactive", "rejected"})
"""A newer record of these ends what it replaces; a draft, a proposal or an error does not."""


@dataclass(frozen=True)
class Standing:
    """How far one consent counts; with both reasons empty in full.

    `why_not` tells why it does not count at all, `why_no_permit` why only its denials do. At `changes_at` (UTC) time
    alone may change that.
    """

    consent: Consent
    why_not: str = ""
    why_no_permit: str = ""
    changes_at: datetime = FAR_FUTURE

    @property
    def is_unread(self) -> bool:
        """Whether it would count if it could be read: what it denies is not known."""
        return bool(self.consent.unread) and not self.why_not


def latest(consents: Sequence[Consent]) -> tuple[Consent, ...]:
    """The newest version of each consent, by id. Raises ValueError when one version comes in two contents."""
    newest: dict[str, Consent] = {}
    for consent in consents:
        known = newest.setdefault(consent.id, consent)
        if known is not consent and known.version == consent.version and known != consent:
            raise ValueError(f"{consent.key} was loaded twice with different contents")
        if known.version < consent.version:
            newest[consent.id] = consent
    return tuple(newest[one] for one in sorted(newest))


def standings(consents: Sequence[Consent], request: DisclosureRequest) -> tuple[Standing, ...]:
    """Every consent that is or may be this patient's, with how far it counts."""
    matches = {named: patient_match(named, request) for named in {one.patient for one in consents}}
    owned = [(one, matches[one.patient]) for one in consents]
    own = [_alone(one, match, request) for one, match in owned if match]
    kin = _kin(own)
    return tuple(_among(one, kin[one.consent.id], request) for one in own)


def _alone(consent: Consent, owned: Match, request: DisclosureRequest) -> Standing:
    """How far it counts, whatever other consents say."""
    why_not = _disregarded(consent, request)
    if why_not:
        return Standing(consent, why_not)
    if consent.unread:
        return Standing(consent, why_no_permit="it cannot be read")
    begins_at = consent.date_time.begins_at(request.zone) if consent.date_time else DISTANT_PAST
    is_ahead = begins_at > request.now
    doubt = _doubt(consent, owned, request) or ("it is dated after this moment" if is_ahead else "")
    return Standing(consent, why_no_permit=doubt, changes_at=begins_at if is_ahead else FAR_FUTURE)


def _kin(own: list[Standing]) -> dict[str, list[Standing]]:
    """Of each consent, by id, the others that share an identifier with it or are said to replace it or be replaced."""
    ties = [(one.consent.id, *one.consent.supersedes, *one.consent.identifiers) for one in own]
    sharing: dict[object, set[int]] = {}
    for at, keys in enumerate(ties):
        for key in keys:
            sharing.setdefault(key, set()).add(at)
    found: dict[str, list[Standing]] = {}
    for at, keys in enumerate(ties):
        others = set().union(*[sharing[key] for key in keys]) - {at}
        found[own[at].consent.id] = [own[other] for other in sorted(others)]
    return found


def _disregarded(consent: Consent, request: DisclosureRequest) -> str:
    if consent.status != "active":
        return f"its status is {consent.status}, not active{_since(consent, request)}"
    if _PRIVACY not in consent.scope:
        return "its scope is not patient-privacy"
    if not consent.policy.is_known and not consent.unread:
        return "it is given under no policy that is known here"
    if not speaks_of(consent, request):
        return f"its policy speaks of another flow than {request.flow}"
    return ""


def _since(consent: Consent, request: DisclosureRequest) -> str:
    return f", since {consent.stored_at.astimezone(request.zone).isoformat()}" if consent.stored_at else ""


def speaks_of(consent: Consent, request: DisclosureRequest) -> bool:
    """Whether its policy leaves room for this flow."""
    return not consent.policy.flows or request.flow in consent.policy.flows


def _among(standing: Standing, kin: list[Standing], request: DisclosureRequest) -> Standing:
    """A denial is lifted only by a consent that counts in full; a permit ends sooner, and in any doubt.

    One that nobody signed replaces nothing.
    """
    if standing.why_not or not kin:
        return standing
    consent, doubt = standing.consent, standing.why_no_permit
    counting = [one for one in kin if not one.why_not and one.consent.has_signature_or_source]
    ending = [one.consent for one in kin if one.consent.status in _ENDING and speaks_of(one.consent, request)]
    for one in counting:
        if not one.why_no_permit and _replaces(one.consent, consent, request) is YES:
            return replace(standing, why_not=f"it is superseded by {one.consent.key}", why_no_permit="")
    for other in (*(one.consent for one in counting), *ending):
        answer = _replaces(other, consent, request)
        if answer and not doubt:
            unclear = f"which of it and {other.key} is the newer one is not known"
            doubt = f"{other.key} ended it" if answer is YES else unclear
    return replace(standing, why_no_permit=doubt)


def _doubt(consent: Consent, owned: Match, request: DisclosureRequest) -> str:
    if owned is UNKNOWN:
        return "whose consent it is cannot be resolved"
    if consent.is_by_representative and not consent.is_authority_recorded:
        return f"a representative gave it and {_why_no_authority(consent, request)}"
    if not consent.has_signature_or_source:
        return "it has neither a signature nor a source document"
    return ""


def _why_no_authority(consent: Consent, request: DisclosureRequest) -> str:
    end = consent.authority_end
    if end is None:
        return "nobody recorded their authority"
    how = "was withdrawn" if end.is_withdrawn else "ended"
    return f"the authority recorded for them {how} at {end.at.astimezone(request.zone).isoformat()}"


def _replaces(newer: Consent, older: Consent, request: DisclosureRequest) -> Match:
    """By a Provenance of revision, or by the same identifier and a later date; UNKNOWN where the two contradict.

    The store lets one consent of a clinic have an identifier; that it did is not known here, and nothing rests on it.
    """
    is_said, is_denied = older.id in newer.supersedes, newer.id in older.supersedes
    if is_said or is_denied:
        return UNKNOWN if is_said and is_denied else YES if is_said else NO
    if newer.identifiers.isdisjoint(older.identifiers):
        return NO
    if newer.date_time is None or older.date_time is None:
        return UNKNOWN
    if older.date_time.ends_at(request.zone) <= newer.date_time.begins_at(request.zone):
        return YES
    is_earlier = newer.date_time.ends_at(request.zone) <= older.date_time.begins_at(request.zone)
    return NO if is_earlier else UNKNOWN
