"""An EHR's FHIR R4 server that checks what it is sent, and can be told to behave as real ones do.

Real ones differ in what they offer: some take updates under ids of the client's and no conditional create, some drop
elements in silence. The CapabilityStatement of this one says what its options are.
"""

import ssl
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.peers import strict_ehr_routes as routes
from tests.peers.processes import LOOPBACK
from tests.peers.strict_ehr_access import Access
from tests.peers.strict_ehr_records import Records, Resource
from tests.peers.strict_ehr_script import Script, ScriptedAnswer

_REPORT = "DiagnosticReport"


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it arrived, answered or not."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float
    """Seconds since the epoch."""

    @property
    def is_write(self) -> bool:
        return self.method in ("POST", "PUT") and self.path.startswith("/fhir/") and "_search" not in self.path


class StrictEhr:
    """Listens on a free port, in threads of this process; keeps everything in memory.

    Args:
        conditional_create: If-None-Exist is honoured; otherwise it is not even looked at, as with any header a
            server does not know.
        update_create: PUT to a new id creates it.
        is_searchable: DiagnosticReport can be searched; where it cannot, nobody can look what became of a create.
        ignores: elements of DiagnosticReport that are dropped without a word.
        answers: what the first writes are answered, see `script`.
        access: who may call; everybody unless given.
        page_size: the most entries in one page of a search.
        tls: serve HTTPS with this context.
    """

    def __init__(
        self,
        *,
        conditional_create: bool = True,
        update_create: bool = False,
        is_searchable: bool = True,
        ignores: Collection[str] = (),
        answers: Sequence[ScriptedAnswer | int] = (),
        access: Access | None = None,
        page_size: int = 20,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.conditional_create = conditional_create
        self.update_create = update_create
        self.is_searchable = is_searchable
        self.ignores = frozenset(ignores)
        self.access = access or Access()
        self.page_size = page_size
        self.records = Records()
        self.script = Script()
        self.script.add(*answers)
        self.requests: list[RecordedRequest] = []
        self.stopping = threading.Event()
        self.write_lock = threading.RLock()
        self._tls = tls
        self._port = 0
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def root_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self._port}"

    @property
    def base_url(self) -> str:
        """The FHIR base."""
        return f"{self.root_url}/fhir"

    @property
    def token_url(self) -> str:
        return f"{self.root_url}/token"

    def start(self) -> Self:
        """Listen; after a `stop` on the same port and with the same records."""
        self.stopping.clear()
        self._server = make_server(
            LOOPBACK, self._port, routes.build(self), threaded=True, request_handler=_Quiet, ssl_context=self._tls
        )
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="strict-ehr", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening; who still waits for a held-back answer gets none worth having."""
        self.stopping.set()
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def add_patient(self, patient: Resource) -> str:
        """Make a patient known; gives the id."""
        return str(self.records.put({**patient, "resourceType": "Patient"}, patient.get("id"))["id"])

    def add_order(self, order: Resource) -> str:
        """Make a ServiceRequest known, so that reports can be based on it; gives the id."""
        return str(self.records.put({**order, "resourceType": "ServiceRequest"}, order.get("id"))["id"])

    def reports(self) -> list[Resource]:
        """Every DiagnosticReport it holds, oldest first, in its present version."""
        return self.records.all_of(_REPORT)

    def writes(self) -> list[RecordedRequest]:
        """The creates and updates that arrived, answered or not."""
        return [each for each in self.requests if each.is_write]

    def record(self) -> None:
        """Note the request that is being served now."""
        request = flask.request
        self.requests.append(
            RecordedRequest(
                request.method,
                request.path,
                request.query_string.decode(),
                dict(request.headers.items()),
                request.get_data(cache=True, parse_form_data=False),
                time.time(),
            )
        )

    def without_ignored(self, resource: Resource) -> Resource:
        """The resource as this server keeps it."""
        if resource["resourceType"] != _REPORT:
            return resource
        return {name: value for name, value in resource.items() if name not in self.ignores}

    def interactions(self, kind: str) -> tuple[str, ...]:
        """What is offered for a resource type; empty for a type that is not kept here."""
        if kind in ("Patient", "ServiceRequest"):
            return ("read", "search-type")
        if kind == _REPORT:
            return ("create", "read", "update", *(["search-type"] if self.is_searchable else []))
        return ()

    def capability_statement(self) -> dict[str, Any]:
        """What `/metadata` answers (https://hl7.org/fhir/R4/capabilitystatement.html)."""
        rest: dict[str, Any] = {
            "mode": "server",
            "resource": [self._capabilities(kind) for kind in ("Patient", "ServiceRequest", _REPORT)],
        }
        if self.access.is_required:
            system = "http://terminology.hl7.org/CodeSystem/restful-security-service"
            rest["security"] = {"service": [{"coding": [{"system": system, "code": "SMART-on-FHIR"}]}]}
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2025-01-01",
            "kind": "instance",
            "software": {"name": "Strict EHR"},
            "implementation": {"description": "An EHR that checks", "url": self.base_url},
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [rest],
        }

    def _capabilities(self, kind: str) -> dict[str, Any]:
        offered = self.interactions(kind)
        described: dict[str, Any] = {"type": kind, "interaction": [{"code": each} for each in offered]}
        if "create" in offered:
            described["versioning"] = "versioned"
            described["conditionalCreate"] = self.conditional_create
            described["updateCreate"] = self.update_create
        if "search-type" in offered:
            described["searchParam"] = routes.search_parameters(kind)
        return described

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"--- the EHR was asked: {[f'{each.method} {each.path}' for each in self.requests]}")
        self.stop()


class _Quiet(WSGIRequestHandler):
    """Writes no access log: what arrived is in `requests`."""

    def log(self, *_: Any) -> None:
        return
