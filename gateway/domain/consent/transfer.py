"""May the data leave the custodian's country? A consent alone does not say so; an instrument on record has to.

GDPR chapter V (https://eur-lex.europa.eu/eli/reg/2016/679/oj), KVKK article 9 as amended by Law 7499 of 2024
(https://www.mevzuat.gov.tr/mevzuat?MevzuatNo=6698). Whether an instrument holds in law a person has to know; what is
decided here is that there is one, of a kind that the custodian's law knows, and that it is in force.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.consent.period import DISTANT_PAST, FAR_FUTURE
from gateway.domain.moments import require_aware

GDPR, KVKK = "GDPR", "KVKK"
TURKEY = "TR"
EEA = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()  # noqa: SIM905
)
"""The 27 of the European Union, Iceland, Liechtenstein and Norway (ISO 3166-1 alpha-2)."""


class TransferKind(StrEnum):
    """On what a transfer to another country can stand; `sources` has the articles."""

    FREE_MOVEMENT = "free-movement"
    ADEQUACY_DECISION = "adequacy-decision"
    STANDARD_CONTRACTUAL_CLAUSES = "standard-contractual-clauses"
    BINDING_CORPORATE_RULES = "binding-corporate-rules"
    AUTHORITY_AGREEMENT = "authority-agreement"
    APPROVED_UNDERTAKING = "approved-undertaking"
    CODE_OF_CONDUCT = "code-of-conduct"
    CERTIFICATION = "certification"
    EXPLICIT_CONSENT = "explicit-consent"
    """The form that patients sign names the recipient and tells of the risks; `reference` says which form it is."""

    @property
    def sources(self) -> dict[str, str]:
        """The articles it comes from, by law; a law that does not know it is not there."""
        return _SOURCES[self]


_SOURCES: dict[TransferKind, dict[str, str]] = {
    TransferKind.FREE_MOVEMENT: {GDPR: "art. 1(3)"},
    TransferKind.ADEQUACY_DECISION: {GDPR: "art. 45", KVKK: "art. 9(1)"},
    TransferKind.STANDARD_CONTRACTUAL_CLAUSES: {GDPR: "art. 46(2)(c), (d)", KVKK: "art. 9(4)(c)"},
    TransferKind.BINDING_CORPORATE_RULES: {GDPR: "art. 46(2)(b), 47", KVKK: "art. 9(4)(b)"},
    TransferKind.AUTHORITY_AGREEMENT: {GDPR: "art. 46(2)(a), 46(3)(b)", KVKK: "art. 9(4)(a)"},
    TransferKind.APPROVED_UNDERTAKING: {GDPR: "art. 46(3)(a)", KVKK: "art. 9(4)(ç)"},
    TransferKind.CODE_OF_CONDUCT: {GDPR: "art. 46(2)(e)"},
    TransferKind.CERTIFICATION: {GDPR: "art. 46(2)(f)"},
    TransferKind.EXPLICIT_CONSENT: {GDPR: "art. 49(1)(a)", KVKK: "art. 9(6)(a)"},
}

_NONE = "none is on record for this recipient"


@dataclass(frozen=True)
class TransferInstrument:
    """One thing on record on which transfers to one recipient stand, from `valid_from` until before `valid_until`.

    None is open. `reference` is what a person finds it by (a number, a date, a form). Raises ValueError for a naive
    time, and for an end that is not after the begin.
    """

    id: str
    kind: TransferKind
    reference: str
    valid_from: datetime | None
    valid_until: datetime | None

    def __post_init__(self) -> None:
        require_aware(valid_from=self.begin, valid_until=self.end)
        if self.end <= self.begin:
            raise ValueError("an instrument ends after it begins")

    @property
    def begin(self) -> datetime:
        """The first instant at which it is in force."""
        return self.valid_from or DISTANT_PAST

    @property
    def end(self) -> datetime:
        """The first instant at which it no longer is."""
        return self.valid_until or FAR_FUTURE

    def __str__(self) -> str:
        return f"{self.kind} {self.reference} ({self.id})"


@dataclass(frozen=True)
class Transfer:
    """What was found of a transfer: on which instrument it stands, or why it may not be.

    `instrument` is None within one country and where none is in force. `changes_at` is the earliest instant at which
    time alone could change it.
    """

    is_permitted: bool
    why: str
    instrument: TransferInstrument | None
    changes_at: datetime


def transfer_between(
    custodian_country: str, recipient_country: str, instruments: Iterable[TransferInstrument], now: datetime
) -> Transfer:
    """Whether data may go from the one country to the other now, in whose zone it tells of instants.

    A country that is not known is another one.
    """
    if custodian_country and custodian_country == recipient_country:
        return Transfer(True, f"It stays in {custodian_country}.", None, FAR_FUTURE)
    recorded = tuple(instruments)
    fitting = [one for one in recorded if not why_unfit(one.kind, custodian_country, recipient_country)]
    changes_at = min((_next_change(one, now) for one in fitting), default=FAR_FUTURE)
    way = f"{custodian_country or 'an unknown country'} to {recipient_country or 'an unknown country'}"
    in_force = [one for one in fitting if one.begin <= now < one.end]
    if in_force:
        longest = min(in_force, key=lambda one: (-one.end.timestamp(), one.id))
        return Transfer(True, f"The transfer from {way} stands on {longest}.", longest, changes_at)
    needed = ", ".join(kind for kind in TransferKind if not why_unfit(kind, custodian_country, recipient_country))
    idle = "; ".join(_why_idle(one, why_unfit(one.kind, custodian_country, recipient_country), now) for one in recorded)
    found = f"none on record for this recipient is: {idle}. It takes one of" if idle else _NONE
    why = f"The transfer from {way} needs an instrument in force, and {found}: {needed}."
    return Transfer(False, why, None, changes_at)


def _why_idle(instrument: TransferInstrument, unfit: str, now: datetime) -> str:
    """Why nothing stands now on one that is on record."""
    if unfit:
        return f"{instrument} cannot carry it, {unfit}"
    if instrument.end <= now:
        return f"{instrument} ended at {instrument.end.astimezone(now.tzinfo).isoformat()}"
    return f"{instrument} begins at {instrument.begin.astimezone(now.tzinfo).isoformat()}"


def why_unfit(kind: TransferKind, custodian_country: str, recipient_country: str) -> str:
    """Why nothing of that kind can carry a transfer between the two; empty if it can.

    Of the law of other countries than Türkiye and those of the EEA nothing is known: there a person decides.
    """
    law = KVKK if custodian_country == TURKEY else GDPR if custodian_country in EEA else ""
    if law and law not in kind.sources:
        return f"the {law} knows no {kind}"
    if kind is TransferKind.FREE_MOVEMENT and not {custodian_country, recipient_country} <= EEA:
        return "data move freely inside the EEA only"
    return ""


def _next_change(instrument: TransferInstrument, now: datetime) -> datetime:
    return min((edge for edge in (instrument.begin, instrument.end) if edge > now), default=FAR_FUTURE)
