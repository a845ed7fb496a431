"""The decision once more, as plainly as it can be written: no pruning, no grouping, nothing shared with the real one.

It reads the same dataclasses and knows only what `random_cases` makes: our own identifiers, plain dates, few codes.
What cannot be resolved is settled the other way round: each denial is tried as if every unknown were a yes, each permit
as if it were a no. A consent that may be another patient's or that replaces another one is not part of it.
"""

from datetime import date, timedelta

from gateway.domain.consent import Consent, DisclosureRequest, Item, Outcome, PartyReference, Provision
from gateway.domain.delivery import Flow

LEVELS = ["U", "L", "M", "N", "R", "V"]
OPENING = {Flow.DISCLOSE_TO_REVIEWER: ("TREAT",), Flow.RETURN_TO_CLINIC: ("COC", "TREAT")}


def naive_outcome(consents: list[Consent], request: DisclosureRequest) -> Outcome:
    """Permit when every item has a permit and none a denial."""
    answers = [[_says(one, item, request) for one in consents if _counts(one, request)] for item in request.items]
    if any("deny" in answer for answer in answers):
        return Outcome.DENY
    is_covered = bool(answers) and all("permit" in answer for answer in answers)
    return Outcome.PERMIT if is_covered and _may_travel(request) else Outcome.DENY


def _may_travel(request: DisclosureRequest) -> bool:
    """From TR to DE certificates carry nothing."""
    carrying = [one for one in request.transfer_instruments if one.kind == "adequacy-decision"]
    in_force = [one for one in carrying if one.begin <= request.now < one.end]
    return request.custodian_country == request.recipient.country or bool(in_force)


def _counts(consent: Consent, request: DisclosureRequest) -> bool:
    is_about = request.flow in consent.policy.flows or not consent.policy.flows
    return consent.status == "active" and is_about


def _says(consent: Consent, item: Item, request: DisclosureRequest) -> str:
    rule = consent.policy.rule.value if consent.policy.rule else ""
    root = consent.provision or Provision()
    kind = root.type.value if root.type else {"OPTIN": "permit", "OPTOUT": "deny"}.get(rule, "")
    if rule == "OPTOUT" and kind == "permit":
        kind = "deny"
    found: list[tuple[int, str]] = []
    _collect([(root, kind)], item, request, found)
    if consent.policy.flows and not consent.policy.is_root_decisive:
        found = [one for one in found if one != (1, "deny")]
    if not consent.has_signature_or_source:
        found = [one for one in found if one[1] == "deny"]
    deepest = max((depth for depth, _ in found), default=0)
    kinds = {one for depth, one in found if depth == deepest}
    return "deny" if "deny" in kinds else "permit" if kinds else ""


def _collect(
    chain: list[tuple[Provision, str]], item: Item, request: DisclosureRequest, found: list[tuple[int, str]]
) -> None:
    rule, kind = chain[-1]
    if kind == "deny" and all(_covers(one, own, item, request, unknown=True) for one, own in chain):
        found.append((len(chain), "deny"))
    is_named = any(one.recipients for one, _ in chain) and any(one.purposes for one, _ in chain)
    if kind == "permit" and is_named and all(_covers(one, own, item, request, unknown=False) for one, own in chain):
        found.append((len(chain), "permit"))
    for child in rule.provisions:
        _collect([*chain, (child, child.type.value if child.type else "")], item, request, found)


def _covers(rule: Provision, kind: str, item: Item, request: DisclosureRequest, *, unknown: bool) -> bool:
    today = request.now.astimezone(request.zone).date()
    if rule.period and rule.period.start and today < date.fromisoformat(rule.period.start.text):
        return False
    if rule.period and rule.period.end and today >= date.fromisoformat(rule.period.end.text) + timedelta(days=1):
        return False
    checks = []
    if rule.recipients:
        checks.append(any(_is_recipient(one, request, unknown=unknown) for one in rule.recipients))
    if rule.purposes:
        codes = {one.code for one in rule.purposes}
        checks.append(bool(codes & {*OPENING[request.flow]}) or ("WHATEVER" in codes and unknown))
    if rule.actions:
        codes = {one.code for one in rule.actions}
        checks.append(bool(codes & {"access", "disclose"}) or ("WHATEVER" in codes and unknown))
    if rule.classes:
        checks.append(item.resource_class in rule.classes)
    if rule.codes:
        checks.append(any(one & (item.codes | item.mentions) for one in rule.codes) or (not item.codes and unknown))
    if rule.data:
        checks.append(f"{item.resource_class}/{item.id}" in rule.data)
    if rule.data_period and rule.data_period.end:
        last = date.fromisoformat(rule.data_period.end.text)
        checks.append(unknown if item.date is None else item.date <= last)
    checks.extend(_is_labelled(one.code, kind, item, unknown=unknown) for one in rule.labels)
    return all(checks)


def _is_labelled(limit: str, kind: str, item: Item, *, unknown: bool) -> bool:
    if not item.labels:
        return unknown
    level = LEVELS.index("".join(one.code for one in item.labels))
    return level >= LEVELS.index(limit) if kind == "deny" else level <= LEVELS.index(limit)


def _is_recipient(named: PartyReference, request: DisclosureRequest, *, unknown: bool) -> bool:
    if named.identifier:
        return named.identifier in request.recipient.identifiers
    if named.resource:
        known = {
            bool(one.identifiers & request.recipient.identifiers) for one in (named.resource.then, named.resource.now)
        }
        return unknown if len(known) > 1 else known.pop()
    return named.reference in request.recipient.references if named.reference else unknown
