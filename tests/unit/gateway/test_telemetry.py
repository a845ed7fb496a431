"""Spans have our trace ids, our words and nobody's secrets; without the packages a start says what is missing."""

import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from gateway.domain import trace
from gateway.domain.errors import Permanent
from gateway.telemetry import OpenTelemetry, provider_of, send_traces

ID, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Gets what this process traces; a span is there after `trace.flush()`."""
    exporter = InMemorySpanExporter()
    provider = provider_of(exporter, "test")
    tracer = OpenTelemetry(provider)
    trace.install(tracer)
    yield exporter
    trace.uninstall(tracer)
    provider.shutdown()


def test_spans_have_the_id_of_the_trace_and_stand_below_each_other(exporter: InMemorySpanExporter) -> None:
    with trace.within(ID), trace.span("job", kind="delivery-send"), trace.span("http.send", method="PUT"):
        trace.note(status=201)
    trace.flush()
    inner, outer = exporter.get_finished_spans()
    assert [f"{span.context.trace_id:032x}" for span in (inner, outer)] == [ID, ID]
    assert inner.parent is not None and inner.parent.span_id == outer.context.span_id
    assert outer.parent is None
    assert dict(inner.attributes or {}) == {"consilium.method": "PUT", "consilium.status": 201}
    assert dict(outer.attributes or {}) == {"consilium.kind": "delivery-send"}
    assert outer.resource.attributes["service.name"] == "consilium-test"


def test_what_another_system_began_is_continued(exporter: InMemorySpanExporter) -> None:
    with trace.within(ID), trace.span("http.request", parent_id=ABOVE):
        pass
    trace.flush()
    [span] = exporter.get_finished_spans()
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (ID, ABOVE)


def test_a_span_has_an_id_by_which_another_process_can_follow_it(exporter: InMemorySpanExporter) -> None:
    assert trace.current_span_id() == ""
    with trace.within(ID), trace.span("job"):
        span_id = trace.current_span_id()
    assert trace.current_span_id() == ""
    with trace.within(ID), trace.span("job", parent_id=span_id):
        pass
    trace.flush()
    above, below = exporter.get_finished_spans()
    assert f"{above.context.span_id:016x}" == span_id
    assert below.parent is not None
    assert (below.parent.span_id, below.context.trace_id) == (above.context.span_id, above.context.trace_id)


def test_an_error_is_named_and_not_quoted(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError), trace.within(ID), trace.span("intake"):
        raise RuntimeError("Ayşe Öztürk")
    trace.flush()
    [span] = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "RuntimeError")
    assert span.events == ()
    assert "Ayşe" not in span.to_json()


def test_without_a_tracer_a_span_is_nothing() -> None:
    with trace.span("job", kind="x"):
        trace.note(outcome="done")
    trace.flush()
    assert trace.current() == ""


def test_a_start_without_the_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(Permanent, match=r"pip install 'consilium-gateway\[telemetry\]'"):
        send_traces("http://127.0.0.1:4318", "web")
