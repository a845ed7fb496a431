"""The consent decision: may these items leave for this recipient now? Pure: the clock is an argument.

Read in this order: `model` (what a consent says), `request` (what wants to leave), `standing` (which consents count),
`match` and `evaluate` (what one consent says of each item), `decision` (what all of them say together).
"""

from gateway.domain.consent.decision import Decision, Outcome, decide, indeterminate
from gateway.domain.consent.evaluate import Step
from gateway.domain.consent.model import (
    Coding,
    Consent,
    ConsentVersion,
    Effect,
    PartyReference,
    Policy,
    PolicyRule,
    Provision,
)
from gateway.domain.consent.period import Moment, Period
from gateway.domain.consent.request import DisclosureRequest, Item, Recipient

__all__ = [
    "Coding",
    "Consent",
    "ConsentVersion",
    "Decision",
    "DisclosureRequest",
    "Effect",
    "Item",
    "Moment",
    "Outcome",
    "PartyReference",
    "Period",
    "Policy",
    "PolicyRule",
    "Provision",
    "Recipient",
    "Step",
    "decide",
    "indeterminate",
]
