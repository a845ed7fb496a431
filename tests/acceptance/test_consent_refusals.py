"""Without the patient's word nothing leaves, and the reason is shown; with it everything leaves once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.gateway import wait_for
from tests.acceptance.stage import DISCLOSE, EHR_REPORT, PACS_REPORT, PATIENCE_S, RETURN, STUDY, Stage, received_by
from tests.peers.dcmtk import StoreScp
from tests.peers.strict_ehr_script import refuse

SLICES = 6


def test_a_report_stays_until_the_patient_lets_it_return(stage: Stage, files: Path) -> None:
    case = stage.open_case(DISCLOSE)
    assert stage.send_images(case, files).is_success
    stage.until_delivery(case.id, STUDY, "delivered")
    stage.report(case.id)
    for kind in (EHR_REPORT, PACS_REPORT):
        held = stage.until_delivery(case.id, kind, "held")
        assert "consent" in held["waits_for"]

    waits = [one for one in stage.waits(case.id) if "report-to" in one["what"]]
    assert len(waits) == 2
    for wait in waits:
        assert "No consent permits" in wait["what"]
        assert wait["since"]
        assert wait["who"] == (
            "the clinic hospital, by a consent of the patient that permits return-to-clinic to hospital for COC or "
            f"TREAT; on file is what this shows: consilium consent list --case {case.id}"
        )
    assert "consent decided for report-to-ehr to hospital-ehr (enqueue) deny" in stage.told(case.id)
    assert stage.asked_of_ehr(case) == []
    assert stage.offered_to_pacs(case) == []
    assert [row["details"]["kind"] for row in stage.granted(case)] == [STUDY]
    asked = stage.read_by_clinic(case, "Task")
    assert [(one["status"], one["focus"]) for one in asked] == [
        ("requested", {"reference": f"ServiceRequest/{case.id}"})
    ] * 2

    stage.consent(case, RETURN)
    assert [one["status"] for one in stage.read_by_clinic(case, "Task")] == ["completed"] * 2
    for kind in (EHR_REPORT, PACS_REPORT):
        stage.until_delivery(case.id, kind, "delivered")
    assert len(stage.in_ehr(case)) == len(stage.written_to_ehr(case)) == 1
    assert len(stage.in_pacs(case)) == len(stage.offered_to_pacs(case)) == 1
    assert not any("report-to" in one["what"] for one in stage.waits(case.id))


def test_images_stay_until_the_patient_lets_the_reviewer_see_them(stage: Stage, files: Path) -> None:
    case = stage.open_case(RETURN)
    assert stage.send_images(case, files).is_success
    stage.until_delivery(case.id, STUDY, "held")
    [wait] = [one for one in stage.waits(case.id) if STUDY in one["what"]]
    assert "No consent permits" in wait["what"]
    assert stage.at_reviewer(case) == []
    assert stage.granted(case) == []

    stage.consent(case, DISCLOSE)
    stage.until_delivery(case.id, STUDY, "delivered")
    assert len(stage.at_reviewer(case)) == 2


def test_a_consent_taken_back_between_two_attempts_stops_the_second(stage: Stage) -> None:
    case = stage.open_case(RETURN)
    [consent_id] = case.order.ids["Consent"]
    stage.ehr.script.add(refuse(503, retry_after="3"))
    stage.report(case.id)
    wait_for(lambda: stage.written_to_ehr(case), "the first attempt", PATIENCE_S)
    stage.until(case.id, EHR_REPORT, lambda found: found.attempts == 1, "the EHR's 503 to be noted")

    stage.revoke(case, RETURN, consent_id)
    held = stage.until_delivery(case.id, EHR_REPORT, "held")
    asked = len(stage.asked_of_ehr(case))
    assert "No consent permits" in held["waits_for"]
    assert "recall notice" in stage.told(case.id)
    [told] = stage.read_by_clinic(case, "Communication")
    assert (told["status"], told["about"][0]["reference"]) == ("in-progress", f"Consent/{consent_id}")
    [written] = stage.request("hospital", "GET", f"Provenance?target=Consent/{consent_id}").json()["entry"]
    assert written["resource"]["target"] == [{"reference": f"Consent/{consent_id}/_history/2"}]
    [notice] = stage.gateway.shown("recall", "list", "--case", case.id)
    stage.gateway.cli("recall", "acknowledge", notice["id"])
    assert [one["status"] for one in stage.read_by_clinic(case, "Communication")] == ["completed"]
    stage.until_decided(case.id, EHR_REPORT, "grant", "deny")
    assert len(stage.asked_of_ehr(case)) == asked
    assert len(stage.written_to_ehr(case)) == 1
    assert stage.in_ehr(case) == []
    assert len(stage.granted(case)) == 1
    assert stage.delivery(case.id, EHR_REPORT)["state"] == "held"


def test_a_reviewer_abroad_gets_nothing_before_the_transfer_is_on_record(
    stage: Stage, abroad_node: StoreScp, files: Path
) -> None:
    berlin = stage.add_reviewer("berlin", abroad_node.address, country="DE")
    case = stage.open_case(DISCLOSE, reviewer=berlin)
    assert stage.send_images(case, files).is_success
    held = stage.until_delivery(case.id, STUDY, "held")
    assert "TR to DE needs an instrument in force" in held["waits_for"]
    to = {"recipient": {"valueReference": {"identifier": {"system": berlin.system, "value": berlin.value}}}}
    assert stage.decided(case, **to)["outcome"]["valueCode"] == "deny"
    assert received_by(abroad_node) == []

    between = ("--clinic", "hospital", "--to", "berlin", "--kind", "standard-contractual-clauses")
    stage.gateway.cli("transfer", "add", *between, "--reference", "SCC 2026/7")
    stage.until_delivery(case.id, STUDY, "delivered")
    assert len(received_by(abroad_node)) == 2
    answer = stage.decided(case, **to)
    assert answer["outcome"]["valueCode"] == "permit"
    used = [one["valueReference"]["reference"] for one in answer["thing"]["part"] if one["name"] == "consent"]
    assert used == [f"Consent/{case.order.ids['Consent'][0]}/_history/1"]
    told = stage.gateway.cli("consent", "explain", "--case", case.id, "--to", "berlin-node")
    assert "SCC 2026/7" in told
    [line] = stage.gateway.shown("transfer", "list")
    stage.gateway.cli("transfer", "end", line["id"])
    assert stage.decided(case, **to)["outcome"]["valueCode"] == "deny"


@pytest.fixture(scope="module")
def abroad_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreScp]:
    """A reviewer's node in another country."""
    with StoreScp("BERLIN", folder=tmp_path_factory.mktemp("abroad"), options=("+xa",)) as node:
        yield node


@pytest.fixture(scope="module")
def slow_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreScp]:
    """A reviewer's node that needs a second for each object."""
    options = ("+xa", "--sleep-after", "1")
    with StoreScp("SLOWNODE", folder=tmp_path_factory.mktemp("slow"), options=options) as node:
        yield node


def test_a_consent_taken_back_while_a_study_is_sent_stops_the_rest(
    stage: Stage, slow_node: StoreScp, files: Path
) -> None:
    slow = stage.add_reviewer("slow", slow_node.address)
    case = stage.open_case(DISCLOSE, reviewer=slow)
    [consent_id] = case.order.ids["Consent"]
    assert stage.send_images(case, files, slices=SLICES).is_success
    wait_for(lambda: received_by(slow_node), "the first object at the slow node", PATIENCE_S)
    stage.revoke(case, DISCLOSE, consent_id)
    stage.until(case.id, STUDY, lambda found: found.attempts == 1, "the sending to end")

    held = stage.until_delivery(case.id, STUDY, "held")
    assert "No consent permits" in held["waits_for"]
    sent = len(received_by(slow_node))
    assert 1 <= sent < SLICES
    assert "recall notice" in stage.told(case.id)

    stage.consent(case, DISCLOSE)
    stage.until_delivery(case.id, STUDY, "delivered")
    arrived = [ds.SOPInstanceUID for ds in received_by(slow_node)]
    assert len(arrived) == len(set(arrived)) == SLICES
