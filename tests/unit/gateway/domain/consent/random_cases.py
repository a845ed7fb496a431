"""Small random consents and requests; dense enough that permits, denials and unknowns meet."""

from datetime import date, datetime, timedelta
from random import Random
from typing import TypeVar

from gateway.domain.consent import (
    Coding,
    Consent,
    DisclosureRequest,
    Effect,
    Item,
    Moment,
    NamedResource,
    PartyReference,
    Period,
    Policy,
    PolicyRule,
    Provision,
    TransferInstrument,
    TransferKind,
)
from gateway.domain.consent.vocabulary import CONFIDENTIALITY
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier
from tests.unit.gateway.domain.consent.builders import (
    BERLIN,
    BOARD,
    INSURER,
    LOINC,
    NOBODY,
    OTHER,
    REVIEWER,
    actions,
    consent,
    purposes,
    request,
)

T = TypeVar("T")

LATER = PartyReference("Organization/later", resource=NamedResource(INSURER, BOARD))
PARTIES = (
    *(REVIEWER, REVIEWER, REVIEWER, OTHER, NOBODY, LATER),
    *(PartyReference(identifier=Identifier("urn:org", name)) for name in ("reviewer", "reviewer", "insurer")),
)
PURPOSES = ("TREAT", "TREAT", "TREAT", "COC", "ETREAT", "HPAYMT", "WHATEVER")
ACTIONS = ("disclose", "access", "collect", "WHATEVER")
CLASSES = ("ImagingStudy", "DocumentReference")
CODES = tuple(Coding(LOINC, code) for code in ("1", "2", "3"))
POLICIES = (
    *(Policy(PolicyRule.OPTIN), Policy(PolicyRule.OPTOUT), Policy(is_root_decisive=True)),
    *(Policy(flows=frozenset({flow})) for flow in Flow),
    *(Policy(flows=frozenset(Flow)), Policy(PolicyRule.OPTOUT, frozenset(Flow))),
    Policy(flows=frozenset(Flow), is_root_decisive=True),
)
FIRST_DAY = date(2026, 3, 26)
"""The clocks in Berlin go forward on the 29th."""
DAYS = 6
LAST_DAY = (FIRST_DAY + timedelta(days=DAYS)).isoformat()
LABELS = tuple(Coding(CONFIDENTIALITY, code) for code in ("L", "N", "R"))


def random_request(random: Random) -> DisclosureRequest:
    now = datetime(2026, 3, 28, 12, tzinfo=BERLIN) + timedelta(hours=random.randrange(48))
    items = [_item(random, number) for number in range(random.choice((1, 1, 2, 3)))]
    instruments = tuple(_instrument(random, number) for number in range(random.choice((0, 1, 2))))
    countries = {"custodian_country": random.choice(("DE", "DE", "TR")), "transfer_instruments": instruments}
    return request(*items, flow=random.choice(list(Flow)), now=now, zone=BERLIN, **countries)


def random_consents(random: Random) -> list[Consent]:
    return [_consent(random, number) for number in range(random.choice((1, 1, 2, 3)))]


def random_provision(random: Random, depth: int = 1) -> Provision:
    """A provision with a type; up to three levels."""
    count = random.choice((0, 0, 1, 2)) if depth < 3 else 0
    return Provision(
        type=random.choice((*[Effect.PERMIT] * 3, Effect.DENY)),
        period=_period(random) if random.random() < 0.4 else None,
        recipients=tuple(_some(random, PARTIES, 0.7)),
        actions=actions(*_some(random, ACTIONS, 0.2)),
        purposes=purposes(*_some(random, PURPOSES, 0.7)),
        classes=frozenset(_some(random, CLASSES, 0.15)),
        codes=tuple(frozenset({one}) for one in _some(random, CODES, 0.15)),
        labels=frozenset(_some(random, LABELS, 0.08)[:1]),
        data_period=Period(end=Moment.parse(random_day(random))) if random.random() < 0.1 else None,
        data=frozenset(_some(random, ("DocumentReference/i0", "ImagingStudy/i1"), 0.05)),
        provisions=tuple(random_provision(random, depth + 1) for _ in range(count)),
    )


def _consent(random: Random, number: int) -> Consent:
    root = random_provision(random, 0)
    if random.random() < 0.5:
        root = Provision(**{**vars(root), "type": None})
    return consent(
        root if random.random() < 0.95 else Provision(),
        random.choice(POLICIES),
        id=f"c{number}",
        status="inactive" if random.random() < 0.1 else "active",
        has_signature_or_source=random.random() > 0.1,
    )


def _item(random: Random, number: int) -> Item:
    day = FIRST_DAY + timedelta(days=random.randrange(DAYS)) if random.random() < 0.8 else None
    codes, mentions = (frozenset(_some(random, CODES, share)) for share in (0.8, 0.2))
    return Item(f"i{number}", random.choice(CLASSES), codes, day, labels=_labels(random), mentions=mentions)


def _labels(random: Random) -> frozenset[Coding]:
    return frozenset(_some(random, LABELS, 0.8)[:1])


def _instrument(random: Random, number: int) -> TransferInstrument:
    begin, end = sorted(random.sample(range(DAYS), 2))
    first = datetime.combine(FIRST_DAY, datetime.min.time(), tzinfo=BERLIN)
    bounds = (first + timedelta(days=begin), first + timedelta(days=end))
    kind = random.choice((TransferKind.ADEQUACY_DECISION, TransferKind.CERTIFICATION))
    return TransferInstrument(f"t{number}", kind, "no. 7", *bounds)


def _period(random: Random) -> Period:
    first, last = sorted((random_day(random), random_day(random)))
    start, end = Moment.parse(first), Moment.parse(last)
    return random.choice((Period(start), Period(None, end), Period(start, end)))


def random_day(random: Random) -> str:
    return (FIRST_DAY + timedelta(days=random.randrange(DAYS))).isoformat()


def _some(random: Random, choices: tuple[T, ...], chance: float) -> list[T]:
    return random.sample(choices, random.choice((1, 2, 2))) if random.random() < chance else []
