"""The hooks around an answer that is a promise: what a request had stored is on the disk before it leaves."""

from flask import Flask, Response, request

from gateway.domain.hooks import reach

_SUCCESS = range(200, 300)


def register(application: Flask) -> None:
    """Reach `http.before_ack` before a write is answered with success, `http.after_ack` when the answer has left."""
    application.after_request(_acknowledge)


def _acknowledge(response: Response) -> Response:
    if request.method in ("POST", "PUT") and response.status_code in _SUCCESS:
        reach("http.before_ack")
        response.call_on_close(_acknowledged)
    return response


def _acknowledged() -> None:
    reach("http.after_ack")
