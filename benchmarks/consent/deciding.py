"""One decision on 50 consents of 20 provisions each, about 400 items of eight days.

The consents are all of one patient and all in force. Of the provisions of each some name other recipients, some other
classes, codes, single resources and periods; no two are alike, and every consent permits. Beside it the same where
nothing permits and every reason is told, and the way to it provision by provision, as `consent explain` shows it.
"""

import time
from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from benchmarks.consent import GROUP
from benchmarks.result import Result, within
from gateway.domain.consent import (
    Coding,
    Consent,
    DisclosureRequest,
    Effect,
    Item,
    Moment,
    PartyReference,
    Period,
    Policy,
    Provision,
    Recipient,
    decide,
)
from gateway.domain.consent.vocabulary import ACT_REASON, CONSENT_SCOPE, PATIENT_PRIVACY
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier

CONSENTS, PROVISIONS, ITEMS, ROUNDS = 50, 20, 400, 51
LIMIT_MS = 5.0
_REVIEWER = PartyReference(identifier=Identifier("urn:org", "reviewer"))
_TREATMENT = frozenset({Coding(ACT_REASON, "TREAT")})
_SCOPE = frozenset({Coding(CONSENT_SCOPE, PATIENT_PRIVACY)})
_ZONE = ZoneInfo("Europe/Istanbul")


def run() -> list[Result]:
    """Medians of some rounds."""
    permitting = [_consent(number, _TREATMENT) for number in range(CONSENTS)]
    denying = [_consent(number, frozenset({Coding(ACT_REASON, "HRESCH")})) for number in range(CONSENTS)]
    size = f"{CONSENTS} consents x {PROVISIONS} provisions x {ITEMS} items"
    asked = _request()
    return [
        within(GROUP, f"a decision, {size}, ms", _ms(lambda: decide(permitting, asked)), LIMIT_MS),
        within(GROUP, f"a denial with its reasons, {size}, ms", _ms(lambda: decide(denying, asked)), 10 * LIMIT_MS),
        within(GROUP, f"all its steps, {size}, ms", _ms(lambda: decide(permitting, asked).steps), 10 * LIMIT_MS),
    ]


def _ms(work: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - begin))
    return found


def _request() -> DisclosureRequest:
    items = tuple(
        Item(f"i{number}", "ImagingStudy", date=date(2026, 1, 1 + number % 8), labels=frozenset())
        for number in range(ITEMS)
    )
    return DisclosureRequest(
        flow=Flow.DISCLOSE_TO_REVIEWER,
        patient_references=frozenset({"Patient/p1"}),
        patient_identifiers=frozenset(),
        recipient=Recipient(frozenset({Identifier("urn:org", "reviewer")}), frozenset({"Organization/r"}), "TR"),
        items=items,
        now=datetime(2026, 3, 10, 12, tzinfo=_ZONE),
        zone=_ZONE,
        payload_sha256="",
        custodian_country="TR",
        transfer_instruments=(),
    )


def _consent(number: int, purposes: frozenset[Coding]) -> Consent:
    nested = tuple(_provision(number, at) for at in range(PROVISIONS - 1))
    return Consent(
        id=f"c{number}",
        version=1,
        patient=PartyReference("Patient/p1"),
        status="active",
        scope=_SCOPE,
        policy=Policy(flows=frozenset({Flow.DISCLOSE_TO_REVIEWER})),
        has_signature_or_source=True,
        identifiers=frozenset({Identifier("urn:form", str(number))}),
        date_time=Moment.parse("2026-03-01"),
        provision=Provision(Effect.PERMIT, recipients=(_REVIEWER,), purposes=purposes, provisions=nested),
    )


def _provision(number: int, at: int) -> Provision:
    """One of five shapes, no two alike."""
    name = f"{number}-{at}"
    until = Period(end=Moment.parse(f"20{27 + number % 50}-{1 + at % 12:02}"))
    other = PartyReference(identifier=Identifier("urn:org", name))
    code = frozenset({Coding("http://loinc.org", name)})
    shapes = (
        Provision(Effect.DENY, recipients=(other,), period=until),
        Provision(Effect.PERMIT, classes=frozenset({"ImagingStudy"}), period=until),
        Provision(Effect.DENY, classes=frozenset({"DocumentReference"}), codes=(code,)),
        Provision(Effect.DENY, recipients=(other,), purposes=_TREATMENT),
        Provision(Effect.DENY, data=frozenset({f"ImagingStudy/{name}"})),
    )
    return shapes[at % len(shapes)]
