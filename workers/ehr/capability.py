"""What an EHR says it offers, from its CapabilityStatement, and the way of writing that follows from it.

https://hl7.org/fhir/R4/capabilitystatement.html
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.domain.errors import GatewayError, Permanent
from gateway.domain.party import FhirAddress
from workers.ehr.client import Call, Session

KEPT_FOR = timedelta(minutes=1)
"""How long what an EHR says of itself is relied on."""

_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")


class WriteStrategy(StrEnum):
    """How one report becomes exactly one, best first. SINGLE_CREATE has neither an idempotent write nor a look."""

    CONDITIONAL_CREATE = "conditional create"
    UPDATE_CREATE = "update under our own id"
    SEARCH_THEN_CREATE = "search, then create"
    SINGLE_CREATE = "create once"


@dataclass(frozen=True)
class TypeCapability:
    """What the EHR offers for one resource type. `search_parameters` are the names it lists."""

    interactions: frozenset[str] = frozenset()
    search_parameters: frozenset[str] = frozenset()
    has_conditional_create: bool = False
    has_update_create: bool = False

    @property
    def may_search_by_identifier(self) -> bool:
        """True when the type can be searched by its identifier."""
        return "search-type" in self.interactions and "identifier" in self.search_parameters

    @property
    def may_read(self) -> bool:
        """True when an instance can be read by its id."""
        return "read" in self.interactions


@dataclass(frozen=True)
class Capability:
    """The parts of a CapabilityStatement that deliver a report."""

    fhir_version: str
    software: str
    report: TypeCapability
    patient: TypeCapability


class CapabilityCache:
    """What the EHRs said they offer, by address; one cache serves all deliveries of a worker process."""

    def __init__(self) -> None:
        self._said: dict[FhirAddress, tuple[Capability, datetime]] = {}

    @contextmanager
    def relied_on(
        self, session: Session, address: FhirAddress, now: datetime, *, is_asked_anew: bool
    ) -> Iterator[Capability]:
        """What this EHR offers. Any error in the block has it asked anew the next time: it may have changed."""
        said, said_at = self._said.get(address, (None, now))
        try:
            if said is None or is_asked_anew or now >= said_at + KEPT_FOR:
                said = read_capability(session)
                self._said[address] = said, now
            yield said
        except GatewayError:
            self._said.pop(address, None)
            raise


def read_capability(session: Session) -> Capability:
    """GET [base]/metadata. Raises: Permanent when it is not FHIR or not R4 (4.0.x)."""
    statement = session.send(Call("GET", "metadata", is_about_nobody=True)).expect("CapabilityStatement")
    version = _text(statement.get("fhirVersion"))
    if not re.fullmatch(r"4\.0(\.\d+)?", version):
        raise Permanent(f"The EHR speaks FHIR {version or 'of no stated version'}, and R4 (4.0.1) is needed.")
    software = _object(statement.get("software"))
    return Capability(
        fhir_version=version,
        software=" ".join(filter(None, (_text(software.get("name")), _text(software.get("version"))))),
        report=_type_capability(statement, "DiagnosticReport"),
        patient=_type_capability(statement, "Patient"),
    )


def choose_strategy(report: TypeCapability, *, has_resource_id: bool) -> WriteStrategy:
    """The safest way to write that the EHR offers. Raises: Permanent where it offers none."""
    may_create = "create" in report.interactions
    if may_create and report.has_conditional_create:
        return WriteStrategy.CONDITIONAL_CREATE
    if "update" in report.interactions and report.has_update_create and has_resource_id:
        return WriteStrategy.UPDATE_CREATE
    if may_create and report.may_search_by_identifier:
        return WriteStrategy.SEARCH_THEN_CREATE
    if may_create:
        return WriteStrategy.SINGLE_CREATE
    raise Permanent("The EHR offers no way to create a DiagnosticReport; its administrator has to open one.")


def _type_capability(statement: dict[str, Any], resource_type: str) -> TypeCapability:
    for rest in _objects(statement.get("rest")):
        if rest.get("mode") != "server":
            continue
        for entry in _objects(rest.get("resource")):
            if entry.get("type") == resource_type:
                return TypeCapability(
                    interactions=frozenset(_text(each.get("code")) for each in _objects(entry.get("interaction"))),
                    search_parameters=frozenset(_text(each.get("name")) for each in _objects(entry.get("searchParam"))),
                    has_conditional_create=entry.get("conditionalCreate") is True,
                    has_update_create=entry.get("updateCreate") is True,
                )
    return TypeCapability()


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return _NOT_PRINTABLE.sub("?", value)[:80] if isinstance(value, str) else ""
