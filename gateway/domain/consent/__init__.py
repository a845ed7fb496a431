"""The consent decision: may these items leave for this recipient now? Pure: the clock is an argument.

Read in this order: `model` (what a consent says), `request` (what wants to leave), `standing` (which consents count),
`match` and `evaluate` (what one consent says of each item), `transfer` (may it leave the country), `decision` (what all
of them say together), `explanation` (the way to it in words).
"""

from gateway.domain.consent.decision import Decision, Outcome, decide, indeterminate
from gateway.domain.consent.evaluate import Step
from gateway.domain.consent.explanation import Explanation, Passage, explain
from gateway.domain.consent.model import (
    AuthorityEnd,
    Coding,
    Consent,
    ConsentVersion,
    Effect,
    Look,
    NamedResource,
    PartyReference,
    Policy,
    PolicyRule,
    Provision,
)
from gateway.domain.consent.period import Moment, Period
from gateway.domain.consent.request import DisclosureRequest, Item, Recipient
from gateway.domain.consent.transfer import Transfer, TransferInstrument, TransferKind

__all__ = [
    "AuthorityEnd",
    "Coding",
    "Consent",
    "ConsentVersion",
    "Decision",
    "DisclosureRequest",
    "Effect",
    "Explanation",
    "Item",
    "Look",
    "Moment",
    "NamedResource",
    "Outcome",
    "PartyReference",
    "Passage",
    "Period",
    "Policy",
    "PolicyRule",
    "Provision",
    "Recipient",
    "Step",
    "Transfer",
    "TransferInstrument",
    "TransferKind",
    "decide",
    "explain",
    "indeterminate",
]
