"""What a reviewer is shown is what has arrived at their node; a revocation is wholly before an answer or after it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any

from pydicom import Dataset, dcmread

from fhir_mappings.codes import RECALL_SYSTEM
from fhir_mappings.validation import check_resource
from gateway.demo import resources as demo
from gateway.domain.caller import Caller
from gateway.domain.delivery import Flow
from gateway.domain.errors import NotFound
from gateway.domain.party import DicomAddress, Identifier
from gateway.domain.resource import StoredResource
from gateway.services import delivery, listing, recalling, review
from gateway.services.accounting import accounting_of_case
from gateway.services.documents import approve
from gateway.services.explaining import explain_to_person
from gateway.services.intake import receive
from gateway.services.listing.standstills import standstills
from gateway.services.outside import Outside
from gateway.services.recall import recall_lines
from gateway.services.review_grant import Reading
from gateway.services.review_view import Viewed
from gateway.services.story import case_story
from gateway.store import audit, cases, deliveries, resources
from gateway.store.tables import decision
from tests.grants import read_grants
from tests.integration.store.overlap import overlapping
from tests.integration.store.stage import Json, Stage, update
from tests.peers.generated import ct_series


class _Node:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[Dataset] = []

    @contextmanager
    def open(self, address: DicomAddress, contexts: frozenset[tuple[str, str]]) -> "Iterator[_Node]":
        yield self

    def send(self, content: bytes, *, before_send: Callable[[], None] = lambda: None) -> int:
        before_send()
        self.received.append(dcmread(BytesIO(content)))
        return 0x0000


class _Reviewer:
    """The reviewer's client, over the stores of the stage."""

    def __init__(self, stage: Stage) -> None:
        self._reading = Reading(stage.core.database, stage.core.now, stage.core.pseudonym_key)
        self._caller = Caller("reviewer", stage.reviewer)

    def sees(self, resource_type: str) -> list[Viewed]:
        page = review.search(self._reading, self._caller, resource_type, lambda _: True, count=50, after="")
        assert page.total == len(page.disclosed)
        return list(page.disclosed)

    def reads(self, name: str) -> Viewed | None:
        try:
            return review.read(self._reading, self._caller, *name.split("/"))
        except NotFound:
            return None


def _arrived(stage: Stage) -> tuple[_Node, str, Json]:
    """Images and a document are at the node; with the case's id, and the Bundle that takes the consent back."""
    data, node = stage.case_data(), _Node()
    stored = stage.post(demo.clinic_bundle(data, b"%PDF-1.7 a pathology report"))
    for ds in ct_series(slices=2, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    never: Any = None
    outside = Outside(node.open, never, never, never, never, never, look_again_after_s=60)
    stage.ahead += stage.core.quiet_period * 2
    stage.work(send=lambda job: delivery.send(stage.core, job, outside=outside))
    case_id = next(one.id for one in stored if one.type == "ServiceRequest")
    with stage.core.database.read() as connection:
        [document] = cases.documents(connection, case_id=case_id)
    approve(stage.core, document.id, actor="test")
    stage.work(send=lambda job: delivery.send(stage.core, job, outside=outside))
    policy = demo.POLICY[Flow.DISCLOSE_TO_REVIEWER]
    [consent] = [one for one in stored if one.type == "Consent" and one.content["policy"][0]["uri"] == policy]
    return node, case_id, update(consent, status="inactive")


def test_the_uids_are_those_of_the_objects_at_the_node(stage: Stage) -> None:
    node, _, _ = _arrived(stage)
    reviewer = _Reviewer(stage)
    images = [ds for ds in node.received if ds.Modality == "CT"]
    [document] = [ds for ds in node.received if ds.Modality == "DOC"]
    [study] = reviewer.sees("ImagingStudy")
    [series] = study.content["series"]
    assert study.content["identifier"][0]["value"] == f"urn:oid:{images[0].StudyInstanceUID}"
    assert study.id == images[0].AccessionNumber
    assert series["uid"] == images[0].SeriesInstanceUID
    assert [one["uid"] for one in series["instance"]] == [ds.SOPInstanceUID for ds in images]
    assert [one.id for one in reviewer.sees("DocumentReference")] == [document.SOPInstanceUID]
    [order] = reviewer.sees("ServiceRequest")
    assert order.id == images[0].PatientID


def test_an_answer_before_a_revocation_is_granted_and_the_next_is_none(stage: Stage) -> None:
    _, case_id, revocation = _arrived(stage)
    reviewer = _Reviewer(stage)
    [order] = reviewer.sees("ServiceRequest")
    answer, _ = overlapping(stage.core.database, partial(reviewer.reads, order.name), partial(stage.post, revocation))
    assert answer is not None
    assert reviewer.reads(order.name) is None
    _check_order(stage, case_id, granted=2)
    for resource_type in ("ServiceRequest", "ImagingStudy", "DocumentReference"):
        assert reviewer.sees(resource_type) == []


def test_an_answer_that_waits_for_a_revocation_is_none(stage: Stage) -> None:
    _, case_id, revocation = _arrived(stage)
    reviewer = _Reviewer(stage)
    [order] = reviewer.sees("ServiceRequest")
    _, answer = overlapping(stage.core.database, partial(stage.post, revocation), partial(reviewer.reads, order.name))
    assert answer is None
    _check_order(stage, case_id, granted=1)


def test_what_was_read_of_an_order_is_called_back_though_nothing_was_sent(stage: Stage) -> None:
    posted = stage.post(demo.clinic_bundle(stage.case_data(), b"%PDF-1.7 a pathology report"))
    order_id = next(one.id for one in posted if one.type == "ServiceRequest")
    [consent] = [one for one in posted if one.type == "Consent" and "disclose" in one.content["policy"][0]["uri"]]
    reviewer = _Reviewer(stage)
    [order] = reviewer.sees("ServiceRequest")
    assert reviewer.reads(order.name) == order
    stage.post(update(consent, status="inactive"))
    [notice] = recall_lines(stage.core, limit=10)
    assert (notice.case_id, notice.delivery_id, notice.kind) == (order_id, "", "what was read of the order")
    assert notice.recipient == stage.reviewer.name
    first, last = [row.at for row in _trail(stage, order_id, "read.granted")]
    moments = [f"{at:%Y-%m-%d %H:%M:%S} UTC" for at in (first, last)]
    assert notice.what_left == f"granted 2 times, first at {moments[0]} and last at {moments[1]}"
    told = _told(stage, notice.id)
    assert (told["status"], told["payload"][0]["contentString"]) == ("in-progress", notice.request)
    assert told["about"] == [{"reference": f"Consent/{consent.id}"}, {"reference": f"ServiceRequest/{order_id}"}]
    assert order.id not in str(told)
    [row] = _trail(stage, order_id, "recall.notice")
    assert (row.details["read"], row.details["party"]) == (order.name, stage.reviewer.id)
    disclosed = accounting_of_case(stage.core, order_id, since=None).disclosures
    assert {one.country for one in disclosed} == {stage.reviewer.country}
    assert {one.recalled_at for one in disclosed} == {notice.created_at}

    recalling.acknowledge(stage.core, notice.id, actor="coordinator")
    assert _told(stage, notice.id)["status"] == "completed"
    stage.post(_given_again(consent, 2))
    stage.ahead += timedelta(hours=1)
    reviewer.sees("ServiceRequest")
    stage.post(update(consent, status="inactive"))
    [again] = recall_lines(stage.core, limit=10)
    assert (again.id, again.created_at > notice.created_at) == (notice.id, True)
    stage.post(_given_again(consent, 4))
    assert recall_lines(stage.core, limit=10) == []
    assert _told(stage, notice.id)["status"] == "stopped"
    assert [one.recalled_at for one in accounting_of_case(stage.core, order_id, since=None).disclosures] == [None] * 3


def test_the_story_tells_of_reads_in_their_places_and_of_equal_ones_once(stage: Stage) -> None:
    posted = stage.post(demo.clinic_bundle(stage.case_data(), b"%PDF-1.7 a pathology report"))
    order_id = next(one.id for one in posted if one.type == "ServiceRequest")
    [consent] = [one for one in posted if one.type == "Consent" and "disclose" in one.content["policy"][0]["uri"]]
    reviewer = _Reviewer(stage)
    [order] = reviewer.sees("ServiceRequest")
    for _ in range(2):
        stage.ahead += timedelta(minutes=1)
        assert reviewer.reads(order.name)
    newest = _trail(stage, order_id, "read.granted")[-1]
    last = newest.at
    with stage.core.database.write("test") as connection:
        is_it = decision.c.id == newest.details["decision"]
        connection.execute(decision.update().where(is_it).values(reasons=["as it was decided last"]))
    stage.post(update(consent, status="inactive"))
    assert reviewer.reads(order.name) is None
    stage.post(_given_again(consent, 2))
    assert reviewer.reads(order.name)
    what = f"consent decided for {order.name} to be read by {stage.reviewer.name} (read)"
    told = [one for one in case_story(stage.core, order_id).stations if one.what == what]
    assert [one.outcome for one in told] == ["permit", "deny", "permit"]
    assert all(f"{consent.id}/{number}" in one.consents for number, one in enumerate(told, start=1))
    rows = _trail(stage, order_id, "read.granted", "read.denied")
    assert [one.at for one in told] == [rows[0].at, rows[3].at, rows[4].at]
    asked = f"disclose-to-reviewer to {stage.reviewer.name} for TREAT: "
    assert all(one.detail.startswith(asked) and one.detail != asked for one in told)
    assert told[0].detail.endswith(f"; 3 times, the last at {last:%Y-%m-%d %H:%M:%S} UTC")
    assert "as it was decided last" in told[0].detail
    assert "times" not in told[1].detail + told[2].detail


def test_the_story_tells_that_it_could_not_be_decided_whether_to_show(stage: Stage) -> None:
    posted = stage.post(demo.clinic_bundle(stage.case_data(), b"%PDF-1.7 a pathology report"))
    case_id = next(one.id for one in posted if one.type == "ServiceRequest")
    now = stage.core.now()
    with stage.core.database.write("test") as connection:
        for minute in range(2):
            deliveries.add_decision(
                connection,
                case_id=case_id,
                delivery_id=None,
                flow=Flow.DISCLOSE_TO_REVIEWER,
                stage="read",
                outcome="indeterminate",
                reasons=["a consent could not be read"],
                consents=[],
                payload_sha256="0" * 64,
                valid_until=None,
                now=now + timedelta(minutes=minute),
            )
    [told] = [one for one in case_story(stage.core, case_id).stations if one.outcome == "indeterminate"]
    assert (told.at, told.what) == (now, "consent decided for what a reviewer asked to read (read)")
    last = now + timedelta(minutes=1)
    assert told.detail == f"a consent could not be read; 2 times, the last at {last:%Y-%m-%d %H:%M:%S} UTC"


def test_a_case_that_was_read_can_be_shown_everywhere(stage: Stage) -> None:
    """Decisions and grants of reads have no delivery."""
    _, case_id, revocation = _arrived(stage)
    reviewer = _Reviewer(stage)
    assert reviewer.sees("ServiceRequest")
    stage.post(revocation)
    assert reviewer.sees("ServiceRequest") == []
    told = case_story(stage.core, case_id)
    assert {one.outcome for one in told.stations if "to be read by" in one.what} == {"permit", "deny"}
    assert len([one for one in told.waits if "asked to delete" in one.what]) == len(recall_lines(stage.core, limit=9))
    assert {one.case_id for one in standstills(stage.core)} == {case_id}
    lines = listing.delivery_lines(stage.core, limit=9)
    assert len(lines) == 2
    for one in lines:
        assert listing.delivery_view(stage.core, one.id).delivery.id == one.id
    assert len(accounting_of_case(stage.core, case_id, since=None).disclosures) == 3
    assert explain_to_person(stage.core, case_id, "node", moment="", actor="test").outcome == "deny"


def test_a_consent_of_another_flow_calls_back_nothing_that_was_read(stage: Stage) -> None:
    posted = stage.post(demo.clinic_bundle(stage.case_data(), b"%PDF-1.7 a pathology report"))
    [consent] = [one for one in posted if one.type == "Consent" and "disclose" in one.content["policy"][0]["uri"]]
    [other] = [one for one in posted if one.type == "Consent" and one.id != consent.id]
    assert _Reviewer(stage).sees("ServiceRequest")
    stage.post(update(other, status="inactive"))
    assert recall_lines(stage.core, limit=10) == []


def _given_again(consent: StoredResource, version: int) -> Json:
    """A Bundle that makes it active after the version in which it had ended."""
    bundle = update(consent, status="active")
    bundle["entry"][0]["request"]["ifMatch"] = f'W/"{version}"'
    return bundle


def _told(stage: Stage, recall_id: str) -> Json:
    """The Communication of a notice, as it is now."""
    with stage.core.database.read() as connection:
        named = Identifier(RECALL_SYSTEM, recall_id)
        found = resources.id_by_identifier(connection, stage.clinic.id, "Communication", named)
        assert found is not None
        content = resources.current(connection, stage.clinic.id, "Communication", found).content
    check_resource(content, ("Communication",))
    return content


def _trail(stage: Stage, case_id: str, *actions: str) -> Sequence[Any]:
    with stage.core.database.read() as connection:
        return audit.of_case(connection, case_id, actions=actions)


def _check_order(stage: Stage, case_id: str, *, granted: int) -> None:
    with stage.core.database.read() as connection:
        rows = audit.of_case(connection, case_id, actions=["read.granted", "read.denied", "consent.stored"])
        assert len(read_grants(connection, case_id)) == granted
    revoked = max(row.id for row in rows if row.action == "consent.stored")
    assert [row.action for row in rows if row.id > revoked] == ["read.denied"]
    assert len([row for row in rows if row.action == "read.granted"]) == granted
