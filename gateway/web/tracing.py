"""Every request is part of a trace: of the caller's, where it names one, or else of a new one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.domain import trace

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def traced(application: "WSGIApplication") -> "WSGIApplication":
    """The application, with its trace around each request (https://www.w3.org/TR/trace-context/#traceparent-header)."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        caller = trace.parse_traceparent(environ.get("HTTP_TRACEPARENT", ""))
        trace_id, parent_id = (caller.trace_id, caller.span_id) if caller else ("", "")
        with trace.within(trace_id), trace.span("http.request", parent_id=parent_id):
            return application(environ, start_response)

    return answer
