from typing import Any

import pytest
from sqlalchemy import delete, select, update

from gateway.domain.work import GATEWAY, Job, JobKind
from gateway.services import indexing
from gateway.services.resources import store_internal
from gateway.store import forgetting, resource_index
from gateway.store.tables import resource, resource_text, resource_version
from tests.statements import executed
from tests.unit.gateway.web.support import BASE, START, World, order, patient, problem

SYSTEM = "https://clinic.example/mrn"


def ids(found: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in found.get("entry", [])]


def test_by_identifier_by_id_and_by_patient(world: World) -> None:
    one, other = (world.ask("POST", "/Patient", patient(n)).get_json(force=True)["id"] for n in ("1", "2"))
    orders = [
        world.ask("POST", "/ServiceRequest", order(f"Patient/{who}", n)).get_json(force=True)["id"]
        for who, n in ((one, "A"), (one, "B"), (other, "C"))
    ]
    by_url = world.ask("GET", f"/Patient?identifier={SYSTEM}|1").get_json(force=True)
    assert (by_url["type"], by_url["total"], ids(by_url)) == ("searchset", 1, [one])
    assert by_url["entry"][0]["fullUrl"] == f"{BASE}/fhir/Patient/{one}"
    assert "link" not in by_url
    by_form = world.ask(
        "POST",
        "/Patient/_search",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        raw=f"identifier={SYSTEM}|1".encode(),
    ).get_json(force=True)
    assert by_form == by_url
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


NOT_UNDERSTOOD = [
    "identifier=4711",
    "identifier=|4711",
    "identifier=a|b,",
    "family:contains=x",
    "identifier:missing=true",
    "birthdate=2026-13",
    "birthdate=ap2026",
    "gender=a|b|c",
    "_lastUpdated:missing=true",
    "active:missing=perhaps",
    "general-practitioner=Practitioner/a/_history/1",
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
]


def test_what_is_not_understood_is_refused(world: World) -> None:
    for query in NOT_UNDERSTOOD:
        assert (query, *problem(world.ask("GET", f"/Patient?{query}"))[:2]) == (query, 400, "invalid")


GIVEN = ["Ali", "Ş."]
ASKED = [
    ("family=Ozt", ["Öztürk"]),
    ("family=ÖZTÜRK", ["Öztürk"]),
    ("family=zturk", []),
    ("family=os,Yi", ["Östberg", "Yıldız"]),
    ("family:exact=Ozturk", []),
    ("family:exact=Öztürk", ["Öztürk"]),
    ("given=ali", ["Öztürk", "Östberg", "Yıldız"]),
    ("name=s.&gender=male", ["Östberg"]),
    ("birthdate=1961-04-23", ["Öztürk"]),
    ("birthdate=1961", ["Öztürk", "Östberg"]),
    ("birthdate=1999-05", []),
    ("birthdate=ge1961-05", ["Östberg", "Yıldız"]),
    ("birthdate=gt1961-05-01", ["Yıldız"]),
    ("birthdate=lt1961-05-01", ["Öztürk"]),
    ("birthdate=le1961-04-23", ["Öztürk"]),
    ("birthdate=ne1961-04-23", ["Östberg", "Yıldız"]),
    ("birthdate=sa1961", ["Yıldız"]),
    ("birthdate=eb1999", ["Öztürk", "Östberg"]),
    ("birthdate=ge1961&birthdate=lt1961-05", ["Öztürk"]),
    ("birthdate=1961-04-23,1961-05-01", ["Öztürk", "Östberg"]),
    ("gender=female&birthdate=1961", ["Öztürk"]),
    ("gender=|female", ["Öztürk", "Yıldız"]),
    ("gender=http://hl7.org/fhir/administrative-gender|female", []),
    ("active:missing=true", ["Öztürk", "Östberg", "Yıldız"]),
    ("active:missing=false", []),
    ("gender:missing=false&birthdate:missing=true", []),
    ("_lastUpdated=2026-03-02", ["Öztürk", "Östberg", "Yıldız"]),
    ("_lastUpdated=2026-03-02T09:30:00.123Z", ["Öztürk", "Östberg", "Yıldız"]),
    ("_lastUpdated=gt2026-03-02T09:30:00.123Z", []),
    ("_lastUpdated=ge2026-03-02T12:30:00%2B03:00&family=y", ["Yıldız"]),
    ("_lastUpdated=ge2026-03-02T12:30:00 03:00", ["Öztürk", "Östberg", "Yıldız"]),
    (f"identifier={SYSTEM}|Öztürk,{SYSTEM}|Yıldız", ["Öztürk", "Yıldız"]),
]
"""What is asked, and who is found."""


def made(world: World, resource: dict[str, Any]) -> str:
    answer = world.ask("POST", f"/{resource['resourceType']}", resource)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json(force=True)["id"])


def written(world: World, **resource: Any) -> None:
    """By the gateway itself, for the clinic."""
    with world.database.write("test.written") as connection:
        store_internal(connection, world.party_ids["clinic"], resource, now=world.clock())


def found(world: World, kind: str, query: str, by: str = "clinic") -> list[str]:
    answer = world.ask("GET", f"/{kind}?{query}", by=by)
    assert answer.status_code == 200, answer.text
    return ids(answer.get_json(force=True))


@pytest.fixture
def people(world: World) -> dict[str, str]:
    """Family name -> id."""
    born = {"Öztürk": ("1961-04-23", "female"), "Östberg": ("1961-05-01", "male"), "Yıldız": ("1999", "female")}
    return {
        family: made(world, patient(family, name=[{"family": family, "given": GIVEN}], birthDate=day, gender=sex))
        for family, (day, sex) in born.items()
    }


def test_a_patient_is_found_by_name_date_and_code(world: World, people: dict[str, str]) -> None:
    for query, who in ASKED:
        assert (query, found(world, "Patient", query)) == (query, sorted(people[one] for one in who))
        assert found(world, "Patient", query, by="other-clinic") == []


def test_what_the_gateway_wrote_is_found_by_whom_and_what_it_is_about(world: World) -> None:
    owner = made(world, patient())
    asked = made(world, order(f"Patient/{owner}"))
    about = {"subject": {"reference": f"Patient/{owner}"}, "basedOn": [{"reference": f"ServiceRequest/{asked}"}]}
    sent = {"sent": "2026-03-02T01:30:00+03:00", "status": "completed", **about}
    written(world, resourceType="Communication", id="told", **sent)
    of_case = {"for": {"reference": f"Patient/{owner}"}, "focus": {"reference": f"ServiceRequest/{asked}"}}
    written(world, resourceType="Task", id="todo", status="requested", intent="order", **of_case)
    for query in (
        f"patient={owner}",
        f"based-on=ServiceRequest/{asked}",
        "sent=2026-03-02",
        "status=completed,unknown",
    ):
        assert found(world, "Communication", query) == ["told"]
        assert found(world, "Communication", query, by="other-clinic") == []
    assert found(world, "Communication", "sent=2026-03-01") == []
    assert found(world, "Communication", f"based-on=Patient/{asked}") == []
    for query in (f"patient=Patient/{owner}", f"subject={owner}", f"focus={asked}", "status=requested&intent=order"):
        assert found(world, "Task", query) == ["todo"]
    assert world.ask("PUT", "/Task/todo", {"resourceType": "Task", "id": "todo"}).status_code == 403
    written(world, resourceType="Task", id="todo", status="completed", intent="order", **of_case)
    assert found(world, "Task", "status=requested") == []
    assert found(world, "Task", "status=completed") == ["todo"]


def test_a_search_that_names_somebody_has_no_links_and_says_how_to_go_on(world: World, people: dict[str, str]) -> None:
    collected, after = [], ""
    while True:
        page = world.ask("GET", f"/Patient?given=ali&_count=2{after}").get_json(force=True)
        assert "link" not in page
        assert page["total"] == 3
        *matches, last = page["entry"]
        if last["search"]["mode"] == "match":
            collected += ids(page)
            break
        collected += ids({"entry": matches})
        [issue] = last["resource"]["issue"]
        after = f"&{issue['diagnostics'].rpartition(' ')[2]}"
    assert collected == sorted(people.values())
    assert "Ali" not in world.ask("GET", "/Patient?gender=female").get_json(force=True)["link"][0]["url"]


def test_what_the_previous_version_stored_is_found_after_an_upgrade(world: World, people: dict[str, str]) -> None:
    with world.database.write("test.previous") as connection:
        for table in resource_index.TABLES:
            connection.execute(delete(table))
        connection.execute(update(resource).values(indexed_version=None))
    assert found(world, "Patient", "family=oz") == [people["Öztürk"]]
    with executed() as statements:
        assert found(world, "Patient", "birthdate=1961-05") == [people["Östberg"]]
    assert not [one for one in statements if one.sql.startswith("INSERT INTO resource_")]


def test_a_resource_that_the_previous_version_updated_is_indexed_anew(world: World, people: dict[str, str]) -> None:
    with world.database.write("test.previous") as connection:
        connection.execute(update(resource_text).values(folded="stale", written="stale"))
        connection.execute(update(resource).values(indexed_version=0))
    assert found(world, "Patient", "family=stale") == []
    assert found(world, "Patient", "family=oz") == [people["Öztürk"]]


def test_what_was_destroyed_leaves_nothing_to_search_by(world: World, people: dict[str, str]) -> None:
    with world.database.write("test") as connection:
        forgetting.empty_resources(connection, set(people.values()), world.clock())
        for table in resource_index.TABLES:
            assert connection.execute(select(table)).all() == []
    assert found(world, "Patient", "family=oz") == []


def _job(kind: JobKind) -> Job:
    return Job("j", kind, GATEWAY, None, 1, 0, START, "o")


def test_more_than_a_request_can_index_is_answered_503_and_the_next_request_goes_on(
    world: World, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "AT_ONCE", 1)
    with world.database.write("test.previous") as connection:
        connection.execute(update(resource).values(indexed_version=None))
    answers = [world.ask("GET", "/Patient?family=oz") for _ in range(len(people))]
    busy = [one for one in answers if one.status_code == 503]
    assert len(busy) == (len(people) - 1) // 2
    assert {one.headers["Retry-After"] for one in busy} == {"10"}
    assert ids(answers[-1].get_json(force=True)) == [people["Öztürk"]]


def test_what_a_previous_version_stored_or_destroyed_is_made_good_by_the_recurring_job(
    world: World, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It destroyed one, and left the rows that it knows nothing of; the others it stored without any."""
    monkeypatch.setattr(indexing, "AT_ONCE", 2)
    gone = people["Öztürk"]
    with world.database.write("test.previous") as connection:
        connection.execute(update(resource).where(resource.c.id != gone).values(indexed_version=None))
        connection.execute(update(resource_version).where(resource_version.c.resource_id == gone).values(content=b""))
        connection.execute(update(resource).where(resource.c.id == gone).values(destroyed_at=world.clock()))
    indexing.index_due(world.core, _job(JobKind.RESOURCE_INDEX))
    with world.database.read() as connection:
        assert not resource_index.is_behind(connection, world.party_ids["clinic"], "Patient")
        for table in resource_index.TABLES:
            found_by = set(connection.execute(select(table.c.resource_id)).scalars())
            assert gone not in found_by
            assert set(people.values()) - {gone} <= found_by or table is not resource_text


def test_a_search_may_not_be_endless(world: World) -> None:
    many = ",".join(["a"] * 101)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for name in ("_id", "family", "gender"):
        refused = world.ask("POST", "/Patient/_search", headers=form, raw=f"{name}={many}".encode())
        assert problem(refused) == (400, "invalid", name)
    dates = "&".join(["birthdate=ge1961"] * 31)
    assert problem(world.ask("POST", "/Patient/_search", headers=form, raw=dates.encode()))[:2] == (400, "invalid")
    endless = world.ask("POST", "/Patient/_search", headers=form, raw=b"&".join([b"gender=female"] * 31))
    assert "at most 30 parameters" in endless.text  # nothing else was looked at before


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
    page = world.ask("GET", f"/ImagingStudy?patient=Patient/{owner}").get_json(force=True)
    assert [entry["resource"]["numberOfInstances"] for entry in page["entry"]] == [2]
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


@pytest.mark.parametrize("cursor", ["zzzz", "Patient/aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAA"])
@pytest.mark.parametrize(
    ("by", "kind"), [("clinic", "Patient"), ("clinic", "AuditEvent"), ("reviewer", "ServiceRequest")]
)
def test_a_cursor_that_no_page_gave_is_refused(world: World, by: str, kind: str, cursor: str) -> None:
    refused = world.ask("GET", f"/{kind}?_after={cursor}", by=by)
    assert problem(refused) == (400, "invalid", "_after")
    assert "next link" in refused.text
