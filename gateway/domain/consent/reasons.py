"""Why a decision came out as it did, in sentences without patient data."""

from collections.abc import Callable

from gateway.domain.consent.evaluate import Step
from gateway.domain.consent.match import may_name
from gateway.domain.consent.model import Consent, ConsentVersion
from gateway.domain.consent.request import DisclosureRequest, Item
from gateway.domain.consent.standing import Standing, speaks_of

Findings = dict[tuple[ConsentVersion, str], tuple[Item, ...]]
"""On which items the provision at which path of which consent took effect."""
_IDS_SHOWN = 3


def sentences(findings: Findings, verb: str, request: DisclosureRequest) -> tuple[str, ...]:
    """One for each provision that took effect."""
    return tuple(f"{key}, {path}, {verb} {_count(items, request)}." for (key, path), items in findings.items())


def nothing_permits(bare: tuple[Item, ...], counted: tuple[Standing, ...], request: DisclosureRequest) -> str:
    """That no consent permits the `bare` items."""
    if not request.items:
        return "The request names no item."
    if not counted:
        return "No consent of this patient is on file."
    return f"No consent permits {_count(bare, request)} to leave ({request.flow})."


def cannot_be_read(unread: tuple[Standing, ...]) -> tuple[str, ...]:
    """Which consents on file are in the way, and what of each it is: the clinic sends it anew."""
    remedy = "it permits nothing, and what it denies is not known: the clinic has to send it anew"
    return tuple(f"{one.consent.key} cannot be read ({one.consent.unread}); {remedy}." for one in unread)


def near_misses(
    counted: tuple[Standing, ...], steps_of: Callable[[Standing], tuple[Step, ...]], request: DisclosureRequest
) -> tuple[str, ...]:
    """Why those that speak of this flow and may speak of this recipient do not permit; no other one could."""
    near = [one for one in counted if _is_near(one.consent, request)]
    ignored = [f"{one.consent.key} does not count: {one.why_not}." for one in near if one.why_not]
    steps = [step for one in near if not one.why_not for step in steps_of(one)]
    missed = [step for step in steps if step.effect is not None and not step.matched]
    return (*ignored, *(f"{one.consent}, {one.path} ({one.effect}), does not apply: {one.why}." for one in missed))


def _count(items: tuple[Item, ...], request: DisclosureRequest) -> str:
    total = len(request.items)
    if len(items) == total:
        return f"all items ({total})"
    shown = ", ".join(f"{one.resource_class}/{one.id}" for one in items[:_IDS_SHOWN])
    return f"{len(items)} of {total} items ({shown}{', ...' if len(items) > _IDS_SHOWN else ''})"


def _is_near(consent: Consent, request: DisclosureRequest) -> bool:
    is_for_them = consent.provision is None or may_name(consent.provision, consent.root_effect, request.recipient)
    return is_for_them and speaks_of(consent, request)
