"""Which party may write and read what, and what an update may not change."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fhir_mappings.bundle import Entry
from fhir_mappings.links import read_identifier
from fhir_mappings.literal_references import search_targets
from fhir_mappings.primitives import ID
from fhir_mappings.report_pair import check_pair, pair_in_bundle
from gateway.domain.errors import Conflict, Forbidden, NotFound, Unprocessable
from gateway.domain.party import Identifier, PartyKind
from gateway.domain.resource import StoredResource

WRITABLE: Mapping[PartyKind, frozenset[str]] = {
    PartyKind.CLINIC: frozenset(
        (
            "Binary",
            "Consent",
            "DocumentReference",
            "Organization",
            "Patient",
            "Practitioner",
            "PractitionerRole",
            "Provenance",
            "RelatedPerson",
            "ServiceRequest",
        )
    ),
    PartyKind.REVIEWER: frozenset(("Composition", "DiagnosticReport")),
}
"""Resource types that a client of each kind of party may create and update."""

WRITTEN_BY_THE_GATEWAY = frozenset(("AuditEvent", "Communication", "ImagingStudy", "Task"))
"""What a clinic reads and no client writes: what arrived of a study, what is to be called back, what is waited for,
and who did what (`audit_events`)."""

READABLE = frozenset().union(*WRITABLE.values()) | WRITTEN_BY_THE_GATEWAY
"""Every type there is; a caller finds in it what its own party has, and nothing else."""

_REPORT_TYPES = frozenset(("Composition", "DiagnosticReport"))
_LONGEST_IDENTIFIER = 255


ENDED_CONSENT = ("inactive", "rejected", "entered-in-error")
"""https://hl7.org/fhir/R4/valueset-consent-state-codes.html"""


def check_may_write(kind: PartyKind, resource_type: str) -> None:
    """Raises NotFound for a type that the gateway does not keep, and Forbidden for one that others write."""
    check_is_known(resource_type)
    if resource_type not in WRITABLE[kind]:
        raise Forbidden(f"a {kind}'s client may write: {', '.join(sorted(WRITABLE[kind]))}")


def check_is_known(resource_type: str) -> None:
    """Raises NotFound for a type that the gateway does not keep."""
    if resource_type not in READABLE:
        raise NotFound(f"this type of resource is not kept here; there are: {', '.join(sorted(READABLE))}")


def check_may_exist(resource_type: str, resource_id: str) -> None:
    """Raises NotFound for what can be no logical id, and is therefore not repeated."""
    if not ID.fullmatch(resource_id):
        raise NotFound(f"no {resource_type} of this id")


def check_reports_are_whole(entries: Sequence[Entry]) -> None:
    """A report is a DiagnosticReport and a Composition that come together and are linked.

    Raises Unprocessable when one comes without the other, or nothing links them.
    """
    types = {entry.type for entry in entries} & _REPORT_TYPES
    if not types:
        return
    if types != _REPORT_TYPES:
        raise Unprocessable(
            "a report is one transaction Bundle with a DiagnosticReport and a Composition that refer to each other",
            at=types.pop(),
        )
    pair = pair_in_bundle({"entry": [{"resource": one.resource, "fullUrl": one.full_url} for one in entries]})
    check_pair(pair.diagnostic_report, pair.composition, pair.diagnostic_report_url, pair.composition_url)


def check_is_not_revived_unseen(before: dict[str, Any], entry: Entry) -> None:
    """A copy from before a consent ended must not bring it back, nor halfway: that takes the number of its version."""
    is_revived = before.get("status") in ENDED_CONSENT and entry.resource.get("status") not in ENDED_CONSENT
    if entry.type == "Consent" and is_revived and entry.if_match is None:
        raise Conflict(f"Consent/{entry.id} has ended; to change its status again, send its version in If-Match")


def check_is_same_patient(
    before: dict[str, Any], after: dict[str, Any], is_same_person: Callable[[str, str], bool]
) -> None:
    """Raises Unprocessable when an update would move a resource from one patient to another.

    A record that it was merged into is the same patient (`is_same_person` of two ids).
    """
    left, joined = _patients(before) - _patients(after), _patients(after) - _patients(before)
    if len(left) != len(joined) or not all(is_same_person(one, other) for one in left for other in joined):
        raise Unprocessable("an update may not change whose resource this is", at=str(after["resourceType"]))


def business_identifiers(resource: dict[str, Any]) -> list[Identifier]:
    """The identifiers that have both system and value. Raises Unprocessable for one beyond 255 characters."""
    held = resource.get("identifier", [])
    found = [read_identifier(one) for one in (held if isinstance(held, list) else [held])]
    identifiers = [one for one in found if one is not None]
    if any(max(len(one.system), len(one.value)) > _LONGEST_IDENTIFIER for one in identifiers):
        at = f"{resource['resourceType']}.identifier"
        raise Unprocessable(f"system and value of an identifier have at most {_LONGEST_IDENTIFIER} characters", at=at)
    return identifiers


def case_of(stored: StoredResource) -> str | None:
    """The case that the resource names itself: an order is one, others refer to an order; None when unclear."""
    if stored.type == "ServiceRequest":
        return stored.id
    orders = {target for _, kind, target in search_targets(stored.content) if kind == "ServiceRequest"}
    return orders.pop() if len(orders) == 1 else None


def _patients(resource: dict[str, Any]) -> set[str]:
    return {target for name, _, target in search_targets(resource) if name == "patient"}
