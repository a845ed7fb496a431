from typing import Any

import pytest

from gateway.services.resources import store_internal
from tests.statements import executed
from tests.unit.gateway.web.support import BASE, World, order, patient, problem

SYSTEM = "https://clinic.example/mrn"


def ids(found: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in found.get("entry", [])]


def test_by_identifier_by_id_and_by_patient(world: World) -> None:
    one, other = (world.ask("POST", "/Patient", patient(n)).get_json(force=True)["id"] for n in ("1", "2"))
    orders = [
        world.ask("POST", "/ServiceRequest", order(f"Patient/{who}", n)).get_json(force=True)["id"]
        for who, n in ((one, "A"), (one, "B"), (other, "C"))
    ]
    found = world.ask("GET", f"/Patient?identifier={SYSTEM}|1").get_json(force=True)
    assert (found["type"], found["total"], ids(found)) == ("searchset", 1, [one])
    assert found["entry"][0]["fullUrl"] == f"{BASE}/fhir/Patient/{one}"
    assert "link" not in found
    by_form = world.ask(
        "POST",
        "/Patient/_search",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        raw=f"identifier={SYSTEM}|1".encode(),
    ).get_json(force=True)
    assert by_form == found
    assert ids(world.ask("GET", f"/Patient?_id={one},{other}").get_json(force=True)) == sorted([one, other])
    for query in (f"patient={one}", f"subject=Patient/{one}", f"patient={BASE}/fhir/Patient/{one}"):
        assert ids(world.ask("GET", f"/ServiceRequest?{query}").get_json(force=True)) == sorted(orders[:2])
    assert world.ask("GET", f"/ServiceRequest?patient={one}", by="other-clinic").get_json(force=True)["total"] == 0
    assert "entry" not in world.ask("GET", f"/Patient?identifier={SYSTEM}|9").get_json(force=True)


def test_pages_follow_each_other_without_gap_or_overlap(world: World) -> None:
    made = [world.ask("POST", "/Patient", patient(str(n))).get_json(force=True)["id"] for n in range(5)]
    collected, address = [], "/Patient?_count=2"
    while address:
        page = world.ask("GET", address).get_json(force=True)
        assert page["total"] == 5
        collected += ids(page)
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "").removeprefix(f"{BASE}/fhir")
    assert collected == sorted(made)
    assert ids(world.ask("GET", "/Patient?_count=0").get_json(force=True)) == []


@pytest.mark.parametrize(
    "query",
    [
        "identifier=4711",
        "identifier=|4711",
        "identifier=a|b,c|d",
        "family=x",
        "patient.identifier=a|b",
        "_count=-1",
        "_id=a%20b",
        "identifier=a|b&identifier=a|b",
        "_sort=_id",
        "_after=%00",
        "identifier=a|b%00",
        "_after=%00",
        "identifier=a|b%00",
        "_include=x",
    ],
)
def test_what_is_not_understood_is_refused(world: World, query: str) -> None:
    assert problem(world.ask("GET", f"/Patient?{query}"))[:2] == (400, "invalid")


def test_a_clinic_reads_the_imaging_study_of_its_case(world: World) -> None:
    owner = world.ask("POST", "/Patient", patient()).get_json(force=True)["id"]
    study = {
        "resourceType": "ImagingStudy",
        "id": "study1",
        "status": "available",
        "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
        "subject": {"reference": f"Patient/{owner}"},
    }
    for instances in (1, 2):
        with world.database.write("test.study") as connection:
            counted = study | {"numberOfInstances": instances}
            store_internal(connection, world.party_ids["clinic"], counted, now=world.clock())
    found = world.ask("GET", f"/ImagingStudy?patient=Patient/{owner}").get_json(force=True)
    assert [entry["resource"]["numberOfInstances"] for entry in found["entry"]] == [2]
    assert world.ask("GET", "/ImagingStudy/study1").headers["ETag"] == 'W/"2"'
    assert world.ask("GET", "/ImagingStudy/study1", by="reviewer").status_code == 404
    assert world.ask("PUT", "/ImagingStudy/study1", study).status_code == 403


def test_a_search_by_identifier_goes_by_an_index(world: World) -> None:
    with executed() as statements:
        world.ask("GET", f"/Patient?identifier={SYSTEM}|1")
    searches = [one for one in statements if "resource_identifier" in one.sql]
    assert searches
    with world.database.read() as connection:
        for one in searches:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one.sql}", one.parameters)
            steps = [str(row.detail) for row in plan if "resource_identifier" in row.detail]
            assert steps
            assert all(step.startswith("SEARCH resource_identifier USING INDEX") for step in steps)
