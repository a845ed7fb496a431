import copy
from typing import Any

import pytest
from sqlalchemy import func, select

from fhir_mappings.codes import DIAGNOSTIC_REPORT_LINKS
from gateway.domain.errors import Unprocessable
from gateway.store.tables import resource
from tests.statements import executed
from tests.unit.fhir_mappings import samples
from tests.unit.gateway.web.support import BASE, World, bundle, order, patient, posted, problem, put

PATIENT_URL = "urn:uuid:6b1cd3b5-a6a2-4a5e-8f3e-000000000001"
REPORT_URL = "urn:uuid:6b1cd3b5-a6a2-4a5e-8f3e-000000000002"
COMPOSITION_URL = "urn:uuid:6b1cd3b5-a6a2-4a5e-8f3e-000000000003"
MRN = "identifier=https%3A%2F%2Fclinic.example%2Fmrn%7C"


def stored_count(world: World) -> int:
    with world.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(resource)).scalar_one())


def current(world: World, entry: dict[str, Any], by: str = "clinic") -> dict[str, Any]:
    path = entry["response"]["location"].removeprefix(f"{BASE}/fhir").partition("/_history")[0]
    content: dict[str, Any] = world.ask("GET", path, by=by).get_json(force=True)
    return content


def test_entries_refer_to_each_other_by_their_full_urls(world: World) -> None:
    sent = bundle(posted(order(PATIENT_URL)), posted(patient(), PATIENT_URL))
    answered = world.ask("POST", "", sent).get_json(force=True)
    assert (answered["type"], [one["response"]["status"] for one in answered["entry"]]) == (
        "transaction-response",
        ["201 Created", "201 Created"],
    )
    stored_order, stored_patient = (current(world, entry) for entry in answered["entry"])
    assert stored_order["subject"]["reference"] == f"Patient/{stored_patient['id']}"
    assert answered["entry"][1]["response"] == {
        "status": "201 Created",
        "location": f"{BASE}/fhir/Patient/{stored_patient['id']}/_history/1",
        "etag": 'W/"1"',
        "lastModified": "2026-03-02T09:30:00.123Z",
    }
    assert [one.type for one in world.effects.seen] == ["Patient", "ServiceRequest"]
    assert len(world.audit_rows("fhir.create")) == 2


def test_relative_references_resolve_against_an_absolute_full_url(world: World) -> None:
    sent = bundle(
        posted(patient(), "https://ehr.example/r4/Patient/77"),
        posted(order("Patient/77"), "https://ehr.example/r4/ServiceRequest/78"),
    )
    answered = world.ask("POST", "/", sent).get_json(force=True)
    stored_patient, stored_order = (current(world, entry) for entry in answered["entry"])
    assert stored_order["subject"]["reference"] == f"Patient/{stored_patient['id']}"


def test_a_conditional_reference_finds_what_is_stored_or_comes_along(world: World) -> None:
    first = world.ask("POST", "/Patient", patient("1")).get_json(force=True)["id"]
    sent = bundle(posted(order(f"Patient?{MRN}1", "A")), posted(order(f"Patient?{MRN}2", "B")), posted(patient("2")))
    answered = world.ask("POST", "", sent).get_json(force=True)
    one, other, second = (current(world, entry) for entry in answered["entry"])
    assert one["subject"]["reference"] == f"Patient/{first}"
    assert other["subject"]["reference"] == f"Patient/{second['id']}"
    refused = world.ask("POST", "", bundle(posted(order(f"Patient?{MRN}3", "C"))))
    assert problem(refused) == (422, "business-rule", "Bundle.entry[0].resource.subject.reference")


def test_a_conditional_create_in_a_bundle_refers_to_what_it_found(world: World) -> None:
    sent = bundle(posted(patient(), PATIENT_URL, ifNoneExist=f"{MRN}4711"), posted(order(PATIENT_URL)))
    first = world.ask("POST", "", sent).get_json(force=True)
    sent["entry"][1] = posted(order(PATIENT_URL, "ORD-2"))
    second = world.ask("POST", "", sent).get_json(force=True)
    assert [entry["response"]["status"] for entry in second["entry"]] == ["200 OK", "201 Created"]
    assert second["entry"][0]["response"]["location"] == first["entry"][0]["response"]["location"]
    assert current(world, second["entry"][1])["subject"] == current(world, first["entry"][1])["subject"]


def test_creates_come_before_updates_and_the_answer_keeps_the_order(world: World) -> None:
    content = world.ask("POST", "/Patient", patient("1")).get_json(force=True)
    content["identifier"][0]["value"] = "2"
    sent = bundle(put(content, ifMatch='W/"1"'), posted(patient("3")))
    answered = world.ask("POST", "", sent).get_json(force=True)
    assert [entry["response"]["status"] for entry in answered["entry"]] == ["200 OK", "201 Created"]
    assert answered["entry"][0]["response"]["etag"] == 'W/"2"'
    assert problem(world.ask("POST", "", bundle(put(content, ifMatch='W/"1"'))))[0] == 412


def test_one_bad_entry_leaves_nothing_behind(world: World) -> None:
    sent = bundle(posted(patient(), PATIENT_URL), posted(order("Patient/nobody")))
    assert problem(world.ask("POST", "", sent)) == (
        422,
        "business-rule",
        "Bundle.entry[1].resource.subject.reference",
    )
    world.effects.refusals["ServiceRequest"] = Unprocessable("no", at="ServiceRequest.subject")
    sent = bundle(posted(patient(), PATIENT_URL), posted(order(PATIENT_URL)))
    assert problem(world.ask("POST", "", sent)) == (422, "business-rule", "Bundle.entry[1].resource.subject")
    sent = bundle(posted(patient()), posted(patient("2", gender="f")))
    assert problem(world.ask("POST", "", sent)) == (400, "invalid", "Bundle.entry[1].resource.gender")
    assert problem(world.ask("POST", "", bundle(posted(patient()), posted(patient()))))[:2] == (422, "business-rule")
    assert stored_count(world) == 0


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"type": "batch"}, "Bundle.type"),
        ({"entry": []}, "Bundle.entry"),
        ({"entry": [{"resource": patient()}]}, "Bundle.entry[0].request"),
        ({"entry": [{"request": {"method": "DELETE", "url": "Patient/1"}}]}, "Bundle.entry[0].resource"),
        ({"entry": [put(patient(id="1")) | {"fullUrl": "Patient/1"}]}, "Bundle.entry[0].fullUrl"),
        ({"entry": [posted(patient(), url="Patient?x")]}, "Bundle.entry[0].request.url"),
        ({"entry": [posted(patient(), method="PATCH")]}, "Bundle.entry[0].request.method"),
        ({"entry": [posted(patient(), ifMatch='W/"1"')]}, "Bundle.entry[0].request.ifMatch"),
        ({"entry": [posted(patient(), ifNoneExist="name=x")]}, "Bundle.entry[0].request.ifNoneExist"),
        ({"entry": [put(patient(id="1"), url="Patient?x")]}, "Bundle.entry[0].request.url"),
        ({"entry": [put(patient(id="1")), put(patient(id="1"))]}, "Bundle.entry[1].request.url"),
        ({"entry": [posted(patient(), PATIENT_URL), posted(patient("2"), PATIENT_URL)]}, "Bundle.entry[1].fullUrl"),
    ],
)
def test_what_is_no_transaction_is_refused(world: World, change: dict[str, Any], at: str) -> None:
    assert problem(world.ask("POST", "", bundle() | change)) == (400, "invalid", at)


def test_a_single_resource_has_an_address_of_its_own(world: World) -> None:
    assert problem(world.ask("POST", "", patient()))[:2] == (400, "invalid")


def report_bundle() -> dict[str, Any]:
    composition = copy.deepcopy(samples.composition())
    link = {"url": DIAGNOSTIC_REPORT_LINKS[0], "valueReference": {"reference": REPORT_URL}}
    composition["extension"] = [link]
    return bundle(posted(samples.diagnostic_report(), REPORT_URL), posted(composition, COMPOSITION_URL))


def test_a_report_is_two_resources_that_come_together(world: World) -> None:
    answered = world.ask("POST", "", report_bundle(), by="reviewer").get_json(force=True)
    report, composition = (current(world, entry, "reviewer") for entry in answered["entry"])
    link = composition["extension"][0]["valueReference"]["reference"]
    assert link == f"DiagnosticReport/{report['id']}"
    assert problem(world.ask("GET", f"/DiagnosticReport/{report['id']}"))[0] == 404
    amended = bundle(put(report | {"status": "amended"}), put(composition | {"status": "amended"}))
    assert world.ask("POST", "", amended, by="reviewer").status_code == 200


def test_half_a_report_is_refused_and_told_how(world: World) -> None:
    for alone in (samples.diagnostic_report(), samples.composition()):
        refused = world.ask("POST", f"/{alone['resourceType']}", alone, by="reviewer")
        assert problem(refused)[:2] == (422, "business-rule")
        assert "one transaction Bundle" in refused.text
    apart = report_bundle()
    apart["entry"][1]["resource"]["identifier"]["value"] = "R-2"
    del apart["entry"][1]["resource"]["extension"]
    assert problem(world.ask("POST", "", apart, by="reviewer"))[0] == 422
    assert stored_count(world) == 0


def test_the_answer_carries_the_resources_when_asked(world: World) -> None:
    wish = {"Prefer": "return=representation"}
    answered = world.ask("POST", "", bundle(posted(patient())), headers=wish).get_json(force=True)
    assert answered["entry"][0]["resource"]["name"] == [{"family": "Öztürk"}]
    wish = {"Prefer": "return=OperationOutcome"}
    answered = world.ask("POST", "", bundle(posted(patient("2"))), headers=wish).get_json(force=True)
    assert answered["entry"][0]["response"]["outcome"]["issue"][0]["severity"] == "information"


def test_references_are_looked_up_together(world: World) -> None:
    asked = []
    patients = [world.ask("POST", "/Patient", patient(str(n))).get_json(force=True)["id"] for n in range(8)]
    for number, count in enumerate((1, 8)):
        about = [{"reference": f"Patient/{one}/_history/1"} for one in patients[:count]]
        orders = [order(f"Patient/{patients[n]}", f"ORD-{number}-{n}") | {"supportingInfo": about} for n in range(2)]
        with executed() as statements:
            assert world.ask("POST", "", bundle(*(posted(one) for one in orders))).status_code == 200
        asked.append(len([one for one in statements if one.sql.startswith("SELECT")]))
    assert asked[0] == asked[1]


def test_a_version_that_comes_along_can_be_referred_to_and_a_later_one_cannot(world: World) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    for version, status in ((3, 422), (2, 200)):
        about = {"supportingInfo": [{"reference": f"Patient/{content['id']}/_history/{version}"}]}
        sent = bundle(put(content), posted(order(f"Patient/{content['id']}") | about))
        assert world.ask("POST", "", sent).status_code == status
