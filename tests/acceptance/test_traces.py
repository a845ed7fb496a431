"""One id from the association to the receipt, in the logs and in the traces, across the three programs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.demo import resources
from tests.acceptance.gateway import Gateway, wait_for
from tests.acceptance.scene import PACS_AE_TITLE
from tests.acceptance.stage import DISCLOSE, EHR_REPORT, RETURN, STUDY, Case, Stage
from tests.peers.collector import Collector
from tests.peers.dcmtk import StoreScp
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_pacs import StrictPacs

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Stage]:
    """A gateway that sends its traces to the collector."""
    folder = tmp_path_factory.mktemp("traced")
    told: dict[str, Any] = {"CONSILIUM_TELEMETRY__OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with (
        StrictPacs(PACS_AE_TITLE) as pacs,
        StrictEhr() as ehr,
        StoreScp("REVIEWER", folder=folder / "reviewer") as node,
        Gateway(folder / "gateway", **told) as gateway,
    ):
        yield Stage(gateway, pacs=pacs, ehr=ehr, node=node)


@pytest.fixture(scope="module")
def case(traced: Stage, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Images have gone to the reviewer, and the report that came back has gone to the EHR."""
    case = traced.open_case(DISCLOSE, RETURN)
    traced.send_images(case, tmp_path_factory.mktemp("images"))
    traced.until_delivery(case.id, STUDY, "delivered")
    report = resources.report_bundle(traced.story(case.id)["pseudonym"], number="1", signed_at=datetime.now(UTC))
    traced.post("reviewer", "", report, traceparent=f"00-{CALLER}-00f067aa0ba902b7-01")
    traced.until_delivery(case.id, EHR_REPORT, "delivered")
    return case


def test_the_logs_name_one_trace_from_the_association_to_the_receipt(traced: Stage, case: Case) -> None:
    delivery_id = traced.delivery(case.id, STUDY)["id"]
    lines = _lines(traced)
    [receipt] = [line for line in lines if line["event"] == "delivery.delivered" and line["delivery"] == delivery_id]
    followed = [line for line in lines if line.get("trace") == receipt["trace"]]
    events = [line["event"] for line in followed]
    assert events.index("association_accepted") < events.index("association_ended")
    assert followed[events.index("association_ended")]["stored"] > 0
    assert {"study-settle", "study-release", "delivery-send"} <= {
        line["kind"] for line in followed if line["event"] == "job.done"
    }
    assert not [line for line in lines if line["event"] == "association_accepted" and not line.get("trace")]


def test_the_logs_name_the_callers_trace_from_the_request_to_the_receipt(traced: Stage, case: Case) -> None:
    followed = [line for line in _lines(traced) if line.get("trace") == CALLER]
    assert [line["route"] for line in followed if line["event"] == "request"] == ["/fhir"]
    delivery_id = traced.delivery(case.id, EHR_REPORT)["id"]
    assert delivery_id in [line["delivery"] for line in followed if line["event"] == "delivery.delivered"]


def test_spans_of_all_programs_meet_in_one_trace(traced: Stage, case: Case, collector: Collector) -> None:
    delivery_id = traced.delivery(case.id, STUDY)["id"]

    def sent() -> list[str]:
        return [one.trace_id for one in collector.spans() if one.attributes.get("consilium.delivery") == delivery_id]

    wait_for(sent, "the span of the delivery")
    wanted = {
        ("consilium-dicom-node", "dicom.association"),
        ("consilium-dicom-node", "dicom.store"),
        ("consilium-dicom-node", "intake"),
        ("consilium-worker", "job"),
        ("consilium-worker", "delivery.send"),
    }
    wait_for(lambda: wanted <= _programs(collector, sent()[0]), "the spans of the images")
    wanted = {
        ("consilium-web", "http.request"),
        ("consilium-worker", "job"),
        ("consilium-worker", "delivery.send"),
        ("consilium-worker", "http.send"),
    }
    wait_for(lambda: wanted <= _programs(collector, CALLER), "the spans of the report")


def test_no_patient_is_in_a_trace_and_no_trace_goes_to_a_hospital(
    traced: Stage, case: Case, collector: Collector
) -> None:
    everything = b"".join(collector.bodies)
    assert b"consilium.kind" in everything
    data = case.data
    secrets = (data.family, data.given, data.record_number, data.accession_number, data.study_instance_uid)
    for word in (*secrets, traced.story(case.id)["pseudonym"]):
        assert word.encode() not in everything
    assert traced.asked_of_ehr(case)
    assert not [one for one in traced.ehr.requests if "traceparent" in {name.lower() for name in one.headers}]


def _programs(collector: Collector, trace_id: str) -> set[tuple[str, str]]:
    return {(one.program, one.name) for one in collector.spans() if one.trace_id == trace_id}


def _lines(stage: Stage) -> list[dict[str, Any]]:
    """Log lines of the three programs, in the order of their time."""
    found = [json.loads(line) for line in stage.gateway.logs().splitlines() if line.startswith("{")]
    return sorted(found, key=lambda line: str(line["timestamp"]))
