"""A collector of OpenTelemetry traces in this process: OTLP over HTTP, kept in memory as it came."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.peers.processes import LOOPBACK


@dataclass(frozen=True)
class CollectedSpan:
    """One span, its ids in hexadecimal; `program` is the service that made it."""

    program: str
    name: str
    trace_id: str
    attributes: dict[str, str]


class Collector:
    """Use as a context manager; `url` is what a program is told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    def spans(self) -> list[CollectedSpan]:
        """Everything that came so far."""
        found = []
        for body in list(self.bodies):
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {each.key: each.value.string_value for each in of_resource.resource.attributes}
                found += [
                    CollectedSpan(
                        names["service.name"],
                        span.name,
                        span.trace_id.hex(),
                        {each.key: str(each.value.string_value or each.value.int_value) for each in span.attributes},
                    )
                    for of_scope in of_resource.scope_spans
                    for span in of_scope.spans
                ]
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_traces = self.path == "/v1/traces"
                if is_traces:
                    bodies.append(body)
                self.send_response(200 if is_traces else 404)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                return

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
