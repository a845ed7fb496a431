"""Registering clinics, reviewers, endpoints and clients."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.breaker import CLOSED, Breaker
from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.party import DicomAddress, EndpointRole, FhirAddress, Identifier, PartyKind
from gateway.services import registry
from gateway.services.registry import NewEndpoint, Registration
from gateway.store import breakers, parties
from gateway.store.engine import Database
from gateway.store.tables import audit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PACS = NewEndpoint("ankara-pacs", EndpointRole.PACS, dicom=DicomAddress(" ANKPACS ", "10.0.0.5", 104))
EHR = NewEndpoint("ankara-ehr", EndpointRole.EHR, fhir=FhirAddress("https://ehr.example/fhir/"))
IDENTIFIER = Identifier("urn:oid:1.2.3", "ANK")
OTHER: dict[str, Any] = {"name": "izmir", "identifiers": [Identifier("urn:oid:1.2.3", "IZM")]}


def clinic(database: Database, **changes: Any) -> Registration:
    facts: dict[str, Any] = {
        "kind": PartyKind.CLINIC,
        "name": "ankara",
        "identifiers": [IDENTIFIER],
        "country": "TR",
        "time_zone": "Europe/Istanbul",
        "endpoints": [PACS, EHR],
    }
    return registry.register_party(database, **(facts | changes), actor="cli:test", now=NOW)


def audited(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(select(audit.c.action, audit.c.actor).order_by(audit.c.id))]


def test_a_clinic_comes_with_its_endpoints_and_leaves_audit_rows(database: Database) -> None:
    made = clinic(database)
    found = registry.registration(database, "ankara", PartyKind.CLINIC)
    with database.read() as connection:
        by_title = parties.pacs_by_ae_title(connection, "ANKPACS")
    assert found == made
    assert by_title is not None
    assert by_title.name == "ankara-pacs"
    assert [one.fhir.base_url for one in found.endpoints if one.fhir] == ["https://ehr.example/fhir"]
    assert audited(database) == [
        ("clinic.add", "cli:test"),
        ("endpoint.add", "cli:test"),
        ("endpoint.add", "cli:test"),
    ]


def test_nothing_is_registered_when_one_endpoint_is_taken(database: Database) -> None:
    clinic(database)
    with pytest.raises(Conflict, match="ankara has an endpoint named ankara-pacs"):
        clinic(database, **OTHER)
    assert [one.party.name for one in registry.registrations(database, PartyKind.CLINIC)] == ["ankara"]
    assert len(audited(database)) == 3


def test_whose_ae_title_it_is_and_what_to_do_is_said(database: Database) -> None:
    clinic(database)
    taken = replace(PACS, name="izmir-pacs")
    who_and_remedy = r"ANKPACS is registered to ankara \(endpoint ankara-pacs\).*have one of the two nodes renamed"
    with pytest.raises(Conflict, match=who_and_remedy):
        clinic(database, **OTHER, endpoints=[taken])
    clinic(database, **OTHER, endpoints=[replace(taken, dicom=DicomAddress("IZMPACS", "10.0.0.7", 104))])
    with pytest.raises(Conflict, match=who_and_remedy):
        registry.register_endpoint(database, party_name="izmir", new=taken, actor="cli:test", now=NOW)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"country": "Turkey"}, "country"),
        ({"time_zone": "Europe/Ankara"}, "time zone"),
        ({"time_zone": "../etc/passwd"}, "time zone"),
        ({"identifiers": []}, "identifier"),
        ({"identifiers": [Identifier("ank", "1")]}, "identifier.system"),
        ({"identifiers": [Identifier("urn:x", " ")]}, "identifier.value"),
        ({"name": "two words"}, "name"),
        ({"endpoints": [replace(PACS, dicom=DicomAddress("A" * 17, "h", 104))]}, "AE title"),
        ({"endpoints": [replace(PACS, dicom=DicomAddress("A", "h h", 104))]}, "host"),
        ({"endpoints": [replace(PACS, dicom=DicomAddress("A", "h", 0))]}, "port"),
        ({"endpoints": [replace(PACS, dicom=DicomAddress("A", "h", 104, ca_file="/ca.pem"))]}, "ca_file"),
        ({"endpoints": [replace(EHR, fhir=FhirAddress("http://ehr.example"))]}, "URL"),
        ({"endpoints": [replace(EHR, fhir=FhirAddress("https://e.example", client_id="x"))]}, "token"),
        ({"endpoints": [replace(PACS, role=EndpointRole.REVIEWER_NODE)]}, "role"),
        ({"endpoints": [replace(PACS, role=EndpointRole.EHR)]}, "role"),
    ],
)
def test_what_breaks_a_rule_is_named_and_nothing_is_stored(
    database: Database, changes: dict[str, object], at: str
) -> None:
    with pytest.raises(Invalid) as caught:
        clinic(database, **changes)
    assert caught.value.at == at
    assert audited(database) == []


def test_plain_http_can_be_allowed_expressly(database: Database) -> None:
    allowed = replace(EHR, fhir=FhirAddress("http://ehr.example"), is_plain_http_allowed=True)
    assert [one.name for one in clinic(database, endpoints=[allowed]).endpoints] == ["ankara-ehr"]


def test_a_clinic_may_have_a_second_pacs(database: Database) -> None:
    clinic(database)
    second = replace(PACS, name="ankara-cardiology", dicom=DicomAddress("CARDIO", "10.0.0.6", 104))
    added = registry.register_endpoint(database, party_name="ankara", new=second, actor="cli:test", now=NOW)
    with database.read() as connection:
        assert parties.pacs_by_ae_title(connection, "CARDIO") == added
        assert parties.pacs_by_ae_title(connection, "ANKPACS") is not None


def test_an_endpoint_is_removed_and_another_takes_its_role(database: Database) -> None:
    clinic(database)
    moved = replace(EHR, name="ankara-new")
    add: dict[str, Any] = {"party_name": "ankara", "new": moved, "actor": "cli:test", "now": NOW}
    with pytest.raises(Conflict, match="has its ehr already"):
        registry.register_endpoint(database, **add)
    registry.remove_endpoint(database, "ankara-ehr", actor="cli:test", now=NOW)
    assert registry.register_endpoint(database, **add).name == "ankara-new"
    assert [action for action, _ in audited(database)][-2:] == ["endpoint.remove", "endpoint.add"]


def test_an_endpoint_in_use_moves_and_keeps_its_id(database: Database) -> None:
    before = next(one for one in clinic(database).endpoints if one.name == PACS.name)
    moved = replace(PACS, dicom=DicomAddress("NEWPACS", "10.0.0.6", 104))
    after = registry.register_endpoint(database, party_name="ankara", new=moved, actor="cli:test", now=NOW)
    assert after.id == before.id
    with database.read() as connection:
        assert parties.pacs_by_ae_title(connection, "NEWPACS") == after
        assert parties.pacs_by_ae_title(connection, "ANKPACS") is None
    assert audited(database)[-1] == ("endpoint.change", "cli:test")
    with database.read() as connection:
        details = connection.execute(select(audit.c.details).order_by(audit.c.id.desc()).limit(1)).scalar_one()
    assert details == {"from": "ANKPACS@10.0.0.5:104", "to": "NEWPACS@10.0.0.6:104"}


def test_a_clinic_is_not_found_among_the_reviewers(database: Database) -> None:
    clinic(database)
    with pytest.raises(NotFound):
        registry.registration(database, "ankara", PartyKind.REVIEWER)


def test_an_endpoint_is_shown_with_whose_it_is(database: Database) -> None:
    clinic(database)
    clinic(database, **OTHER, endpoints=[replace(PACS, name="izmir-pacs", dicom=DicomAddress("IZM", "10.0.0.7", 104))])
    found = registry.endpoints(database)
    owners = [(one.endpoint.name, one.party_name) for one in found]
    assert owners == [("ankara-ehr", "ankara"), ("ankara-pacs", "ankara"), ("izmir-pacs", "izmir")]
    assert registry.endpoint(database, "izmir-pacs") == found[-1]
    assert registry.dicom_role(database, "izmir") is EndpointRole.PACS


def test_the_ca_file_of_a_node_is_kept_with_its_address(database: Database) -> None:
    secure = replace(PACS, dicom=DicomAddress("ANKPACS", "10.0.0.5", 2762, is_tls=True, ca_file="/etc/ca.pem"))
    clinic(database, endpoints=[secure])
    assert registry.endpoint(database, PACS.name).endpoint.dicom == secure.dicom


def test_a_new_address_is_not_held_against_what_failed_at_the_old_one(database: Database) -> None:
    [ehr] = [one for one in clinic(database).endpoints if one.name == EHR.name]
    with database.write("test") as connection:
        breakers.lock(connection, ehr.id)
        breakers.keep(connection, ehr.id, Breaker(9, NOW, NOW))
    moved = replace(EHR, fhir=FhirAddress("https://other.example/fhir"))
    registry.register_endpoint(database, party_name="ankara", new=moved, actor="cli:test", now=NOW)
    with database.read() as connection:
        assert breakers.by_endpoint(connection, ehr.id) == CLOSED


@pytest.mark.parametrize("value", ["ANK ", "\u200bANK", "AN\u00a0K", "AN  K", " "])
def test_an_identifier_with_what_nobody_sees_is_refused(database: Database, value: str) -> None:
    """A consent that names what looks the same would not reach the party."""
    unseen = Identifier("urn:oid:1.2.3", value)
    for identifiers in ([unseen], [IDENTIFIER, unseen]):
        with pytest.raises(Invalid) as refused:
            clinic(database, identifiers=identifiers)
        assert refused.value.at == "identifier.value"
    with pytest.raises(Invalid) as refused:
        clinic(database, identifiers=[Identifier("urn:oid:1.2.3\u200b", "ANK")])
    assert refused.value.at == "identifier.system"
    reviewer: dict[str, Any] = {"kind": PartyKind.REVIEWER, "name": "board", "endpoints": []}
    with pytest.raises(Invalid):
        clinic(database, **reviewer, works_for=[Identifier("urn:oid:1.2.3", value)])
