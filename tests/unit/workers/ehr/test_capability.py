"""What an EHR offers decides how a report is written."""

from typing import Any

import httpx
import pytest

from gateway.domain.errors import Permanent
from gateway.domain.party import FhirAddress
from tests.unit.workers.ehr.double import wired_to
from workers.ehr.capability import Capability, TypeCapability, WriteStrategy, choose_strategy, read_capability
from workers.ehr.client import Session


def read(statement: Any) -> Capability:
    wiring = wired_to(lambda request: httpx.Response(200, json=statement))
    with Session(FhirAddress("https://e.example/fhir"), before_send=lambda: None, wiring=wiring) as session:
        return read_capability(session)


def statement(**more: Any) -> dict[str, Any]:
    return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", **more}


def offered(*interactions: str, **more: Any) -> TypeCapability:
    return TypeCapability(frozenset(interactions), frozenset({"identifier"}), **more)


@pytest.mark.parametrize(
    ("capability", "strategy"),
    [
        (offered("create", "search-type", has_conditional_create=True), WriteStrategy.CONDITIONAL_CREATE),
        (offered("create", "update", has_update_create=True), WriteStrategy.UPDATE_CREATE),
        (offered("update", has_update_create=True, has_conditional_create=True), WriteStrategy.UPDATE_CREATE),
        (offered("create", "update", "search-type"), WriteStrategy.SEARCH_THEN_CREATE),
        (offered("create", "read"), WriteStrategy.SINGLE_CREATE),
        (TypeCapability(frozenset({"create", "search-type"})), WriteStrategy.SINGLE_CREATE),
    ],
)
def test_the_safest_way_is_taken(capability: TypeCapability, strategy: WriteStrategy) -> None:
    assert choose_strategy(capability, has_resource_id=True) is strategy


@pytest.mark.parametrize("capability", [TypeCapability(), offered("read", "search-type"), offered("update")])
def test_no_way_to_write_is_for_a_person(capability: TypeCapability) -> None:
    with pytest.raises(Permanent, match="offers no way to create"):
        choose_strategy(capability, has_resource_id=True)


def test_without_an_id_of_ours_there_is_no_update_create() -> None:
    capability = offered("create", "update", "search-type", has_update_create=True)

    assert choose_strategy(capability, has_resource_id=False) is WriteStrategy.SEARCH_THEN_CREATE


@pytest.mark.parametrize("version", ["3.0.2", "4.3.0", "5.0.0", "", None, 4, "4.0.1 Öztürk"])
def test_only_r4_is_spoken(version: Any) -> None:
    with pytest.raises(Permanent, match="R4"):
        read(statement(fhirVersion=version))


def test_the_statement_is_read() -> None:
    entry = {
        "type": "DiagnosticReport",
        "interaction": [{"code": "create"}, {"code": "read"}],
        "searchParam": [{"name": "identifier"}],
        "conditionalCreate": True,
    }
    rest = [{"mode": "client", "resource": [{"type": "Patient"}]}, {"mode": "server", "resource": [entry]}]

    capability = read(statement(rest=rest, software={"name": "Ehr\u202e", "version": "2"}))

    assert capability.software == "Ehr? 2"
    assert capability.report == TypeCapability(
        frozenset({"create", "read"}), frozenset({"identifier"}), has_conditional_create=True
    )
    assert capability.patient == TypeCapability()


@pytest.mark.parametrize("rest", [None, {}, "x", [1], [{"mode": "server", "resource": {"type": "DiagnosticReport"}}]])
def test_a_malformed_statement_offers_nothing(rest: Any) -> None:
    assert read(statement(rest=rest)).report == TypeCapability()


@pytest.mark.parametrize("value", ["true", 1, [True], None])
def test_only_true_is_true(value: Any) -> None:
    entry = {"type": "DiagnosticReport", "conditionalCreate": value, "updateCreate": value}
    capability = read(statement(rest=[{"mode": "server", "resource": [entry]}]))

    assert not capability.report.has_conditional_create
    assert not capability.report.has_update_create
