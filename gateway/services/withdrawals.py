"""A consent is taken back: what else may be wrong with the version that says so keeps no permit in force."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.bundle import Entry
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.resource import StoredResource
from gateway.services.resource_rules import ENDED_CONSENT, business_identifiers
from gateway.store import resources


@dataclass(frozen=True)
class Linked:
    """What an entry says, its references resolved, and what it will be found by.

    That is `content` itself, but of a withdrawal with which something is wrong what the version before was found by.
    """

    content: dict[str, Any]
    found_by: dict[str, Any]


def may_be_withdrawal(entry: Entry) -> bool:
    """Whether it is an update that leaves a Consent ended."""
    return entry.method == "PUT" and entry.type == "Consent" and entry.resource.get("status") in ENDED_CONSENT


def is_withdrawal(before: StoredResource, entry: Entry) -> bool:
    """Whether it ends a Consent that had not ended."""
    return may_be_withdrawal(entry) and before.content.get("status") not in ENDED_CONSENT


def linked_withdrawal(
    connection: Connection, before: StoredResource, entry: Entry, content: dict[str, Any], check: Callable[[], None]
) -> Linked:
    """Stored in any case; `check` raises Invalid where a reference of it leads nowhere."""
    try:
        if entry.refusal is not None:
            raise entry.refusal
        check()
        _check_identifiers_are_free(connection, before, content)
    except (Invalid, Conflict):
        return Linked(content, before.content | {"status": content["status"]})
    return Linked(content, content)


def _check_identifiers_are_free(connection: Connection, before: StoredResource, content: dict[str, Any]) -> None:
    for identifier in business_identifiers(content):
        holder = resources.id_by_identifier(connection, before.party_id, before.type, identifier)
        if holder not in (None, before.id):
            raise Conflict("another consent has this identifier")
