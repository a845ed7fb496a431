"""An EHR that answers as fast as Python's own HTTP server can, in a process of its own beside what is measured.

It knows every patient and takes conditional creates; what it checks is nothing, and what it holds is in memory.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx

from tests.peers.processes import LOOPBACK, DataFolder, Peer, Process, free_port, is_listening

Json = dict[str, Any]
_READ, _SEARCH = {"code": "read"}, {"code": "search-type"}
_METADATA = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "4.0.1",
    "rest": [
        {
            "mode": "server",
            "resource": [
                {"type": "Patient", "interaction": [_READ, _SEARCH], "searchParam": [{"name": "identifier"}]},
                {"type": "DiagnosticReport", "interaction": [_READ, {"code": "create"}], "conditionalCreate": True},
            ],
        }
    ],
}


class FastEhr(Peer):
    """`url` is the FHIR base; `answered_at` tells when each report got its 201."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = DataFolder()
        command = (sys.executable, "-m", "benchmarks.delivery.ehr", str(self.port))
        environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
        self.process = Process("ehr", command, folder=self._folder.path, environment=environment)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/fhir"

    def answered_at(self) -> dict[str, float]:
        """Business identifier of a report -> seconds since the epoch."""
        answer = httpx.get(f"{self.url}/answered", verify=False, timeout=60)
        return {str(key): float(value) for key, value in answer.raise_for_status().json().items()}

    def close(self) -> None:
        self.process.stop()
        self._folder.remove()

    def _is_ready(self) -> bool:
        return is_listening(self.port)


class _Handler(BaseHTTPRequestHandler):
    reports: dict[str, Json] = {}  # noqa: RUF012  # one memory for all connections
    answered: dict[str, float] = {}  # noqa: RUF012  # the same
    lock = threading.Lock()

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name == "metadata":
            self._answer(200, _METADATA)
        elif name == "answered":
            self._answer(200, self.answered)
        else:
            self._answer(200 if name in self.reports else 404, self.reports.get(name, {}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/_search"):
            system, _, value = parse_qs(body.decode())["identifier"][0].partition("|")
            patient = {"resourceType": "Patient", "id": "known", "identifier": [{"system": system, "value": value}]}
            self._answer(200, {"resourceType": "Bundle", "total": 1, "entry": [{"resource": patient}]})
            return
        key = unquote(self.headers["If-None-Exist"]).rpartition("|")[2]
        with self.lock:
            is_new = key not in self.reports
            report = self.reports.setdefault(key, json.loads(body) | {"id": key, "meta": {"versionId": "1"}})
        self._answer(201 if is_new else 200, report, {"Location": f"{self.path}/{key}/_history/1"})
        self.answered.setdefault(key, time.time())

    def _answer(self, status: int, resource: Json, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(resource).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/fhir+json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a log line costs as much as the rest."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    _Server((LOOPBACK, int(sys.argv[1])), _Handler).serve_forever()
