"""OpenTelemetry behind `gateway.domain.trace`: spans to a collector by OTLP over HTTP. The packages are optional."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.domain import trace
from gateway.domain.errors import Permanent

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_FLUSH_MS = 2000
_TRACES_PATH = "/v1/traces"  # https://opentelemetry.io/docs/specs/otlp/#otlphttp-request


class OpenTelemetry:
    """Records spans. An error is kept by its class alone: its words are not for a third system."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("consilium")

    @contextmanager
    def span(self, name: str, parent_id: str, ids: trace.Ids) -> Iterator[None]:
        """See `trace.Tracer`."""
        from opentelemetry.trace import Status, StatusCode

        above = _remote(parent_id) if parent_id else None
        with self._tracer.start_as_current_span(
            name, above, attributes=_named(ids), record_exception=False, set_status_on_exception=False
        ) as begun:
            try:
                yield
            except Exception as exc:  # it goes on upwards; its words may hold anything, so the span gets the class
                begun.set_status(Status(StatusCode.ERROR, type(exc).__name__))
                raise

    def note(self, ids: trace.Ids) -> None:
        """See `trace.Tracer`."""
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(_named(ids))

    def current_span_id(self) -> str:
        """See `trace.Tracer`."""
        from opentelemetry.trace import format_span_id, get_current_span

        context = get_current_span().get_span_context()
        return format_span_id(context.span_id) if context.is_valid else ""

    def flush(self) -> None:
        """See `trace.Tracer`."""
        self._provider.force_flush(_FLUSH_MS)


def send_traces(otlp_endpoint: str, program: str) -> None:
    """Record the spans of this process and send them there. Raises Permanent where the packages are missing."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as exc:
        remedy = "run pip install 'consilium-gateway[telemetry]', or leave telemetry.otlp_endpoint empty"
        raise Permanent(f"telemetry.otlp_endpoint is set and OpenTelemetry is not installed; {remedy}") from exc
    trace.install(OpenTelemetry(provider_of(OTLPSpanExporter(otlp_endpoint.rstrip("/") + _TRACES_PATH), program)))


def provider_of(exporter: "SpanExporter", program: str) -> "TracerProvider":
    """Spans whose traces have our ids, handed to the exporter in batches; the rest at the end of the process."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class OurIds(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return int(trace.current(), 16) if trace.current() else super().generate_trace_id()

    resource = Resource.create({"service.name": f"consilium-{program}"})
    provider = TracerProvider(id_generator=OurIds(), resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _remote(parent_id: str) -> "Context":
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    sampled = TraceFlags(TraceFlags.SAMPLED)  # who switched it on here wants to see it, whatever the caller records
    above = SpanContext(int(trace.current(), 16), int(parent_id, 16), is_remote=True, trace_flags=sampled)
    return set_span_in_context(NonRecordingSpan(above))


def _named(ids: trace.Ids) -> dict[str, str | int]:
    return {f"consilium.{name}": value for name, value in ids.items()}
