"""The demo's EHR: a small FHIR R4 server that knows one patient and takes reports, with a bearer token.

https://hl7.org/fhir/R4/http.html : capabilities, read, search by POST, conditional create.
"""

import base64
import json
import secrets
import threading
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, Unauthorized, abort
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from gateway.demo.ehr_search import has_token
from gateway.demo.places import LOOPBACK
from gateway.demo.resources import Json

_FHIR_JSON = "application/fhir+json"
_TYPES: dict[str, tuple[str, ...]] = {
    "Patient": ("read", "search-type"),
    "DiagnosticReport": ("create", "read", "search-type"),
}
_ISSUES = {400: "invalid", 401: "login", 404: "not-found", 412: "multiple-matches", 422: "business-rule"}


class Ehr:
    """Keeps its resources in memory, and each report with its PDF as files in `folder`."""

    def __init__(self, folder: Path, patient: Json) -> None:
        self.folder = folder
        self.token_file = folder / "token"
        self._token = secrets.token_urlsafe(32)
        self._held: dict[str, dict[str, Json]] = {kind: {} for kind in _TYPES}
        self._lock = threading.Lock()
        self._server: BaseWSGIServer | None = None
        self.patient_id = self._keep(patient)["id"]

    @property
    def base_url(self) -> str:
        """The FHIR base. Before `start` the port is 0."""
        return f"http://{LOOPBACK}:{self._server.server_port if self._server else 0}/fhir"

    def start(self) -> None:
        """Serve from now on; the token that callers need is in `token_file`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(self._token)
        self._server = make_server(LOOPBACK, 0, self._application(), threaded=True, request_handler=_Silent)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="ehr", daemon=True).start()

    def stop(self) -> None:
        """Stop serving; the files stay."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def reports(self) -> list[Json]:
        """Every DiagnosticReport it holds."""
        with self._lock:
            return list(self._held["DiagnosticReport"].values())

    def pdf_file(self, report: Json) -> Path:
        """Where the report's PDF was put."""
        return self.folder / f"DiagnosticReport-{report['id']}.pdf"

    def _application(self) -> Flask:
        app = Flask("demo-ehr")
        app.before_request(self._authenticate)
        app.register_error_handler(HTTPException, _outcome)
        app.add_url_rule("/fhir/metadata", view_func=lambda: _answer(_CAPABILITIES), endpoint="metadata")
        app.add_url_rule("/fhir/<kind>/_search", view_func=self._search, methods=["POST"], endpoint="search")
        app.add_url_rule("/fhir/<kind>/<resource_id>", view_func=self._read, endpoint="read")
        app.add_url_rule("/fhir/DiagnosticReport", view_func=self._create, methods=["POST"], endpoint="create")
        return app

    def _authenticate(self) -> None:
        given, needed = request.headers.get("Authorization", ""), f"Bearer {self._token}"
        if request.endpoint != "metadata" and not secrets.compare_digest(given.encode(), needed.encode()):
            raise Unauthorized("a bearer token is needed")

    def _read(self, kind: str, resource_id: str) -> Response:
        found = self._held.get(kind, {}).get(resource_id)
        return _answer(found) if found else abort(404)

    def _search(self, kind: str) -> Response:
        if kind not in _TYPES:
            abort(404)
        found = self._matching(kind, request.form.get("identifier") or abort(400))
        entries = [{"resource": each, "search": {"mode": "match"}} for each in found]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        return _answer(bundle | ({"entry": entries} if entries else {}))

    def _create(self) -> Response:
        report = request.get_json(force=True)
        pdfs = [form for form in report.get("presentedForm", []) if form.get("contentType") == "application/pdf"]
        subject = report.get("subject", {}).get("reference")
        if report.get("resourceType") != "DiagnosticReport" or subject != f"Patient/{self.patient_id}" or not pdfs:
            abort(422)
        with self._lock:
            condition = parse_qs(request.headers.get("If-None-Exist", "")).get("identifier")
            found = self._matching("DiagnosticReport", condition[0]) if condition else []
            if len(found) > 1:
                abort(412)
            stored = found[0] if found else self._keep(report)
            if not found:  # its files are there before anybody can see it
                self.pdf_file(stored).with_suffix(".json").write_text(json.dumps(stored, ensure_ascii=False, indent=2))
                self.pdf_file(stored).write_bytes(base64.b64decode(pdfs[0]["data"]))
        response = _answer(stored, 200 if found else 201)
        response.headers["Location"] = f"{self.base_url}/DiagnosticReport/{stored['id']}/_history/1"
        return response

    def _matching(self, kind: str, tokens: str) -> list[Json]:
        return [each for each in self._held[kind].values() if has_token(each, tokens)]

    def _keep(self, resource: Json) -> Json:
        stored = {**resource, "id": uuid.uuid4().hex, "meta": {"versionId": "1"}}
        self._held[stored["resourceType"]][stored["id"]] = stored
        return stored


class _Silent(WSGIRequestHandler):
    """Writes no access log into the demo's screen."""

    def log(self, *_: Any) -> None:
        return


def _capability(kind: str, interactions: tuple[str, ...]) -> Json:
    offered: Json = {"type": kind, "interaction": [{"code": code} for code in interactions]}
    offered["searchParam"] = [{"name": "identifier", "type": "token"}]
    return offered | ({"conditionalCreate": True} if "create" in interactions else {})


_CAPABILITIES: Json = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "date": "2026-01-01",
    "kind": "instance",
    "software": {"name": "Demo EHR"},
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [{"mode": "server", "resource": [_capability(*each) for each in _TYPES.items()]}],
}


def _answer(resource: Json, status: int = 200) -> Response:
    return Response(json.dumps(resource, ensure_ascii=False), status, content_type=_FHIR_JSON)


def _outcome(error: HTTPException) -> Response:
    code = error.code or 500
    issue = {"severity": "error", "code": _ISSUES.get(code, "processing")}
    return _answer({"resourceType": "OperationOutcome", "issue": [issue]}, code)
