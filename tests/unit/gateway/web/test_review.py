"""What a reviewer's client sees: assigned cases by their pseudonyms, each answer granted, and no sign of others."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from fhir_mappings.validation import check_resource
from gateway.demo import resources as demo
from gateway.domain.consent.vocabulary import CONFIDENTIALITY
from gateway.domain.delivery import Flow
from gateway.services import review_grant
from gateway.services.review_view import Viewed
from gateway.store import cases, tables
from tests.grants import read_decisions, read_grants
from tests.statements import executed
from tests.unit.gateway.web.reviewing import DATA, TELLING, Review, Reviewed
from tests.unit.gateway.web.support import World, bundle, patient, put

NOBODYS = "CSZZZZZZZZZZ"
TYPES = ("ServiceRequest", "ImagingStudy", "DocumentReference")
PSEUDONYMOUS_UID = re.compile(r"(urn:oid:)?2\.25\.[0-9]+")


@pytest.fixture
def review(world: World) -> Review:
    return Review(world)


def _ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.get_json(force=True).get("entry", [])]


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in (key, *_leaves(one))]
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list) else [str(value)]


def _everything(world: World, by: str) -> list[dict[str, Any]]:
    """What that party's client is shown of a case."""
    found = [world.ask("GET", f"/{kind}", by=by).get_json(force=True) for kind in TYPES]
    return [entry["resource"] for one in found for entry in one.get("entry", [])]


def test_a_reviewer_sees_the_assigned_case_by_its_pseudonym(world: World, review: Review) -> None:
    review.sent(review.assigned("CS2222222222"))
    order, study, document = _everything(world, "reviewer")
    assert (order["id"], order["status"], order["priority"]) == ("CS2222222222", "active", "routine")
    assert order["code"] == {"coding": [{"system": "http://snomed.info/sct", "code": "103696004"}]}
    assert [one["coding"][0]["code"] for one in order["reasonCode"]] == ["S"]
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (1, 2)
    assert study["basedOn"] == [{"reference": "ServiceRequest/CS2222222222"}]
    assert document["type"]["coding"] == [{"system": "http://loinc.org", "code": "11526-1"}]
    for one in (order, study, document):
        check_resource(one, TYPES)
        assert one["subject"]["identifier"]["value"] == "CS2222222222"
        again = world.ask("GET", f"/{one['resourceType']}/{one['id']}", by="reviewer")
        assert again.get_json(force=True) == one


def test_no_answer_tells_who_it_is_or_where_or_when(world: World, review: Review) -> None:
    reviewed = review.sent(review.assigned("CS2222222222"))
    shown = _everything(world, "reviewer")
    leaves = [one for one in _leaves(shown) if not PSEUDONYMOUS_UID.fullmatch(one)]
    inner = (reviewed.case.id, reviewed.case.patient_id, reviewed.study_id, reviewed.document_id, reviewed.consent_id)
    assert len(shown) == 3
    for telling in (*TELLING, *inner):
        assert not [leaf for leaf in leaves if telling in leaf], telling


def test_each_resource_of_an_answer_was_decided_on_granted_and_recorded(world: World, review: Review) -> None:
    reviewed = review.sent(review.assigned("CS2222222222"))
    answer = world.ask("GET", "/ServiceRequest/CS2222222222", by="reviewer")
    digest = hashlib.sha256(answer.data).hexdigest()
    with world.database.read() as connection:
        [grant] = read_grants(connection, reviewed.case.id)
        [decision] = read_decisions(connection, reviewed.case.id)
    assert (grant.payload_sha256, grant.subject) == (digest, "ServiceRequest/CS2222222222")
    assert (grant.party_id, grant.client_id) == (world.party_ids["reviewer"], "reviewer-client")
    assert (decision.stage, decision.outcome, decision.payload_sha256) == ("read", "permit", digest)
    assert decision.consents == [[reviewed.consent_id, 1]]
    [row] = world.audit_rows("read.granted")
    assert (row.case_id, row.actor, row.subject) == (reviewed.case.id, "reviewer-client", grant.subject)
    assert (row.details["grant"], row.details["decision"]) == (grant.id, decision.id)
    _everything(world, "reviewer")
    assert len(world.audit_rows("read.granted")) == 4


def test_what_has_not_arrived_is_not_there(world: World, review: Review) -> None:
    reviewed = review.assigned("CS2222222222")
    review.sent(reviewed, state="pending")
    assert [one["resourceType"] for one in _everything(world, "reviewer")] == ["ServiceRequest"]


@pytest.mark.parametrize("how", ["none", "inactive", "of another"])
def test_what_is_denied_is_as_if_it_were_not_there_and_is_recorded(world: World, review: Review, how: str) -> None:
    reviewed = review.sent(review.assigned("CS2222222222", has_consent=how == "inactive"))
    if how == "inactive":
        review.consent(reviewed.case, of=reviewed.consent_id, status="inactive")
    if how == "of another":
        review.consent(reviewed.case, to="other-reviewer")
    denied = world.ask("GET", "/ServiceRequest/CS2222222222", by="reviewer")
    nothing = world.ask("GET", f"/ServiceRequest/{NOBODYS}", by="reviewer")
    assert denied.status_code == nothing.status_code == 404
    assert denied.text.replace("CS2222222222", NOBODYS) == nothing.text
    assert _everything(world, "reviewer") == []
    assert world.ask("GET", "/ServiceRequest", by="reviewer").get_json(force=True)["total"] == 0
    with world.database.read() as connection:
        assert read_grants(connection, reviewed.case.id) == []
    assert {row.outcome for row in world.audit_rows("read.denied")} == {"denied"}
    assert world.audit_rows("read.granted") == []


def test_a_page_and_its_total_leave_out_what_is_denied(world: World, review: Review) -> None:
    for number in range(2, 8):
        review.assigned(f"CS{number}222222222", has_consent=number != 4)
    first = world.ask("GET", "/ServiceRequest?_count=2", by="reviewer")
    assert _ids(first) == ["CS2222222222", "CS3222222222"]
    [following] = [one["url"] for one in first.get_json(force=True)["link"] if one["relation"] == "next"]
    second = world.ask("GET", following.removeprefix("https://gateway.example/fhir"), by="reviewer")
    assert _ids(second) == ["CS5222222222", "CS6222222222"]
    assert first.get_json(force=True)["total"] == second.get_json(force=True)["total"] == 5
    last = world.ask("GET", "/ServiceRequest?_count=2&_after=CS6222222222", by="reviewer")
    assert _ids(last) == ["CS7222222222"]
    assert [one["relation"] for one in last.get_json(force=True)["link"]] == ["self"]
    granted = [row.subject.partition("/")[2] for row in world.audit_rows("read.granted")]
    assert granted == ["CS2222222222", "CS3222222222", "CS5222222222", "CS6222222222", "CS7222222222"]
    assert [row.subject for row in world.audit_rows("read.denied")] == ["ServiceRequest/CS4222222222"]


QUERIES = {
    "identifier=https://consilium.example/fhir/sid/pseudonym|CS2222222222": ["CS2222222222"],
    "identifier=https://consilium.example/fhir/sid/pseudonym|CS9999999999": [],
    "identifier=https://hospital.example/fhir/sid/order|ORD-1-CS2222222222": [],
    "status=active": ["CS2222222222", "CS3222222222"],
    "status=completed,active&_id=CS3222222222": ["CS3222222222"],
    "status=revoked": [],
    "_id=CS2222222222,CS3222222222": ["CS2222222222", "CS3222222222"],
    "_count=0": [],
}
REFUSED = ("patient=1", "subject=Patient/1", "authored=2026", "_include=*", "requester=x", "a=b")


def test_cases_are_searched(world: World, review: Review) -> None:
    for pseudonym in ("CS2222222222", "CS3222222222"):
        review.assigned(pseudonym)
    for query, expected in QUERIES.items():
        assert _ids(world.ask("GET", f"/ServiceRequest?{query}", by="reviewer")) == expected, query
    for query in (*REFUSED, "&".join(["status=active"] * 31)):
        assert world.ask("GET", f"/ServiceRequest?{query}", by="reviewer").status_code == 400, query


def test_what_belongs_to_a_case_is_searched_by_it(world: World, review: Review) -> None:
    for pseudonym in ("CS2222222222", "CS3222222222"):
        review.sent(review.assigned(pseudonym))
    assert _ids(world.ask("GET", "/ImagingStudy?basedon=ServiceRequest/CS3222222222", by="reviewer")) == [
        "ACCCS3222222222"
    ]
    [document] = _ids(world.ask("GET", "/DocumentReference?related=CS3222222222", by="reviewer"))
    by_uid = f"/DocumentReference?identifier=urn:dicom:uid|urn:oid:{document}"
    assert _ids(world.ask("GET", by_uid, by="reviewer")) == [document]
    form = world.http.post(
        "/fhir/ServiceRequest/_search",
        data={"_id": "CS3222222222"},
        headers={"Authorization": f"Bearer {world.token('reviewer')}"},
    )
    assert _ids(form) == ["CS3222222222"]


def _broken(world: World, reviewed: Reviewed) -> None:
    """The consent that is stored cannot be read any more."""
    with world.database.write("test") as connection:
        version = tables.resource_version
        is_it = version.c.resource_id == reviewed.consent_id
        broken = b'{"resourceType": "Consent", "status": "active"}'
        connection.execute(update(version).where(is_it).values(content=broken))


def _restored(world: World, _reviewed: Reviewed) -> None:
    with world.database.write("test") as connection:
        connection.execute(update(tables.party).values(restored_at=world.clock()))


@pytest.mark.parametrize("happens", [_broken, _restored], ids=["unreadable consent", "restored"])
def test_what_cannot_be_decided_is_not_answered(happens: Any, world: World, review: Review) -> None:
    reviewed = review.assigned("CS2222222222")
    happens(world, reviewed)
    for path in ("/ServiceRequest/CS2222222222", "/ServiceRequest"):
        answer = world.ask("GET", path, by="reviewer")
        assert answer.status_code == 503, path
        assert int(answer.headers["Retry-After"]) > 0
        assert not [one for one in ("clinic", "Consent", "CS222") if one in answer.text]
    assert world.audit_rows("read.granted") == []
    with world.database.read() as connection:
        assert read_grants(connection, reviewed.case.id) == []


@pytest.mark.parametrize("how", ["closed", "assigned to another", "assigned to nobody"])
def test_a_case_that_is_no_more_the_reviewers_is_not_there(how: str, world: World, review: Review) -> None:
    reviewed = review.sent(review.assigned("CS2222222222"))
    with world.database.write("test") as connection:
        if how == "closed":
            cases.close(connection, reviewed.case.id, world.clock())
        else:
            to = world.party_ids["other-reviewer"] if how == "assigned to another" else None
            connection.execute(update(tables.case).values(reviewer_id=to))
    assert _everything(world, "reviewer") == []
    assert world.ask("GET", "/ServiceRequest/CS2222222222", by="reviewer").status_code == 404
    assert world.audit_rows("read.granted") == []


def _ids_of_others(reviewed: Reviewed) -> dict[str, tuple[str, ...]]:
    """Under what each thing is known, by the reviewer whose it is and by the clinic."""
    return {
        "ServiceRequest": ("CS2222222222", reviewed.case.id),
        "ImagingStudy": ("ACCCS2222222222", reviewed.study_id),
        "DocumentReference": (reviewed.document_id,),
        "Patient": (reviewed.case.patient_id,),
        "Consent": (reviewed.consent_id,),
    }


READS: dict[str, Callable[[str, str], tuple[str, str, Any]]] = {
    "read": lambda kind, one: ("GET", f"/{kind}/{one}", None),
    "vread": lambda kind, one: ("GET", f"/{kind}/{one}/_history/1", None),
    "history": lambda kind, one: ("GET", f"/{kind}/{one}/_history", None),
    "search": lambda kind, one: ("GET", f"/{kind}?_id={one}", None),
}
WRITES: dict[str, Callable[[str], tuple[str, str, Any]]] = {
    "update": lambda one: ("PUT", f"/Patient/{one}", patient(id=one)),
    "transaction": lambda one: ("POST", "", bundle(put(patient(id=one)))),
}


def _told(world: World, by: str, asked: str, method: str, path: str, body: Any) -> tuple[int, str, list[str]]:
    """Status and body without the id, and the statements that it took but those of the audit trail."""
    with executed() as statements:
        answer = world.ask(method, path, body, by=by)
    return (
        answer.status_code,
        answer.text.replace(asked, "ID"),
        [one.sql for one in statements if "audit" not in one.sql],
    )


def _nobodys(one: str) -> str:
    return "".join("9" if letter.isdigit() else letter for letter in one)[::-1]


@pytest.mark.parametrize("by", ["reviewer", "other-reviewer", "other-clinic"])
def test_an_id_of_anothers_is_answered_as_one_that_nobody_has(by: str, world: World, review: Review) -> None:
    reviewed = review.sent(review.assigned("CS2222222222"))
    world.token(by)
    for kind, ids in _ids_of_others(reviewed).items():
        for one in ids[1:] if by == "reviewer" and len(ids) > 1 else ids:
            for path, request in READS.items():
                there, nowhere = (_told(world, by, asked, *request(kind, asked)) for asked in (one, _nobodys(one)))
                assert there == nowhere, (kind, path)
                assert there[0] == (200 if path == "search" else 404), (kind, path)


@pytest.mark.parametrize(("by", "status"), [("reviewer", 403), ("other-reviewer", 403), ("other-clinic", 404)])
def test_anothers_patient_is_written_as_little_as_nobodys(by: str, status: int, world: World, review: Review) -> None:
    one = review.assigned("CS2222222222").case.patient_id
    world.token(by)
    for path, request in WRITES.items():
        there, nowhere = (_told(world, by, asked, *request(asked)) for asked in (one, _nobodys(one)))
        assert there == nowhere, path
        assert there[0] == status, path


def test_the_clinic_goes_on_reading_its_own_order(world: World, review: Review) -> None:
    reviewed = review.assigned("CS2222222222")
    answer = world.ask("GET", f"/ServiceRequest/{reviewed.case.id}")
    assert answer.get_json(force=True)["identifier"][0]["value"] == "ORD-1-CS2222222222"
    assert world.ask("GET", "/ServiceRequest/CS2222222222").status_code == 404
    assert world.audit_rows("read.granted") == []


def test_each_reviewer_sees_their_own_cases(world: World, review: Review) -> None:
    review.sent(review.assigned("CS2222222222"))
    review.sent(review.assigned("CS3222222222", to="other-reviewer"), to="other-reviewer")
    mine, theirs = (json.dumps(_everything(world, by)) for by in ("reviewer", "other-reviewer"))
    assert "CS2222222222" in mine
    assert "CS3222222222" not in mine
    assert "CS3222222222" in theirs
    assert "CS2222222222" not in theirs


def test_other_bytes_than_json_are_refused(world: World, review: Review) -> None:
    review.assigned("CS2222222222")
    headers = {"Accept": "application/fhir+xml"}
    assert world.ask("GET", "/ServiceRequest/CS2222222222", by="reviewer", headers=headers).status_code == 406


def _meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """When what may be meant has been found, and before anything is decided on."""
    granted = review_grant.granted

    def after_it(*given: Any) -> list[Viewed]:
        happens()
        return granted(*given)

    monkeypatch.setattr("gateway.services.review.granted", after_it)


def _level(code: str) -> dict[str, str]:
    return {"system": CONFIDENTIALITY, "code": code}


PATHS = {"read": "/ServiceRequest/CS2222222222", "search": "/ServiceRequest?status=active"}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_label_that_is_stored_meanwhile_is_decided_on(
    path: str, world: World, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed = review.assigned("CS2222222222", has_consent=False)
    denied = {"type": "deny", "securityLabel": [_level("R")]}
    provision = demo.consent(DATA, Flow.DISCLOSE_TO_REVIEWER, "Patient/x")["provision"] | {"provision": [denied]}
    review.consent(reviewed.case, provision=provision)
    review.order(reviewed.case, meta={"security": [_level("N")]})
    assert world.ask("GET", path, by="reviewer").get_json(force=True).get("total", 1) == 1
    restricted = {"security": [_level("R")]}
    _meanwhile(monkeypatch, lambda: review.order(reviewed.case, meta=restricted))
    answer = world.ask("GET", path, by="reviewer")
    assert answer.status_code == 404 or _ids(answer) == []
    assert [row.subject for row in world.audit_rows("read.denied")] == ["ServiceRequest/CS2222222222"]
    assert len(world.audit_rows("read.granted")) == 1


def test_what_is_stored_meanwhile_is_what_is_shown(
    world: World, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed = review.assigned("CS2222222222")
    _meanwhile(monkeypatch, lambda: review.order(reviewed.case, priority="urgent"))
    answer = world.ask("GET", PATHS["read"], by="reviewer")
    assert answer.get_json(force=True)["priority"] == "urgent"
    with world.database.read() as connection:
        [grant] = read_grants(connection, reviewed.case.id)
    assert grant.payload_sha256 == hashlib.sha256(answer.data).hexdigest()
    _meanwhile(monkeypatch, lambda: review.order(reviewed.case, status="on-hold"))
    assert _ids(world.ask("GET", PATHS["search"], by="reviewer")) == []
    assert len(world.audit_rows("read.granted")) == 1


MADE_OF = {"ServiceRequest": "resource_version", "ImagingStudy": "instance", "DocumentReference": "document"}
"""What a resource is put together of, by the table."""


@pytest.mark.parametrize("kind", MADE_OF)
def test_what_is_asked_for_by_its_id_is_put_together_alone(kind: str, world: World, review: Review) -> None:
    def read(path: str) -> int:
        with executed() as statements:
            assert world.ask("GET", path, by="reviewer").status_code == 200
        return sum(f" {MADE_OF[kind]} " in " ".join(one.sql.split()) for one in statements)

    review.sent(review.assigned("CS2222222222"))
    [one] = _ids(world.ask("GET", f"/{kind}", by="reviewer"))
    paths = [f"/{kind}/{one}", f"/{kind}?_id={one}"]
    alone = [read(path) for path in paths]
    for number in range(3, 6):
        review.sent(review.assigned(f"CS{number}222222222"))
    assert min(alone) > 0
    assert [read(path) for path in paths] == alone
