"""The HTTP face of the strict EHR: R4 interactions (https://hl7.org/fhir/R4/http.html) as Flask routes."""

import json
import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import flask
from werkzeug.exceptions import HTTPException

from tests.peers import strict_ehr_rules as rules
from tests.peers.strict_ehr_records import Refusal, Resource, parameters_of

if TYPE_CHECKING:
    from tests.peers.strict_ehr import StrictEhr

_FHIR_JSON = "application/fhir+json"
_JSON_TYPES = frozenset({_FHIR_JSON, "application/json"})
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_RESULT_PARAMETERS = frozenset({"_count", "_offset", "_format", "_sort"})


def build(ehr: "StrictEhr") -> flask.Flask:
    """The application that serves one StrictEhr."""
    app = flask.Flask("strict-ehr")
    app.before_request(ehr.record)
    app.register_error_handler(Refusal, _outcome)
    app.register_error_handler(HTTPException, _other_outcome)
    interactions = _Interactions(ehr)
    for rule, method, view in (
        ("/token", "POST", interactions.token),
        ("/fhir/metadata", "GET", interactions.metadata),
        ("/fhir/.well-known/smart-configuration", "GET", interactions.smart_configuration),
        ("/fhir/<kind>", "POST", interactions.create),
        ("/fhir/<kind>", "GET", interactions.search),
        ("/fhir/<kind>/_search", "POST", interactions.search),
        ("/fhir/<kind>/<resource_id>", "GET", interactions.read),
        ("/fhir/<kind>/<resource_id>", "PUT", interactions.update),
    ):
        app.add_url_rule(rule, endpoint=f"{method} {rule}", view_func=view, methods=[method])
    return app


class _Interactions:
    """One method an interaction."""

    def __init__(self, ehr: "StrictEhr") -> None:
        self._ehr = ehr

    def token(self) -> flask.Response:
        request = flask.request
        if request.form.get("grant_type") != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, 400)
        granted = self._ehr.access.give_out(request.headers.get("Authorization", ""), request.form)
        return _json(granted, 200) if granted else _json({"error": "invalid_client"}, 401)

    def metadata(self) -> flask.Response:
        return _json(self._ehr.capability_statement(), 200)

    def smart_configuration(self) -> flask.Response:
        if not self._ehr.access.client_id:
            raise Refusal(404, "not-found", "no authorization server here")
        methods = ["client_secret_basic", "client_secret_post"]
        return _json(
            {
                "token_endpoint": self._ehr.token_url,
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": methods,
                "capabilities": ["client-confidential-symmetric"],
            },
            200,
        )

    def create(self, kind: str) -> flask.Response:
        resource = self._body(kind, "create")
        if answer := self._scripted():
            return answer
        condition = flask.request.headers.get("If-None-Exist")
        with self._ehr.write_lock:
            if condition is not None and self._ehr.conditional_create:
                found = self._ehr.records.search(kind, parse_qsl(condition, keep_blank_values=True))
                if len(found) > 1:
                    raise Refusal(412, "multiple-matches", "the condition is not selective enough")
                if found:
                    return self._answer(found[0], 200)
            rules.check(resource, self._ehr.records)
            stored = self._ehr.records.put(self._ehr.without_ignored(resource))
        return self._settle(stored, 201)

    def update(self, kind: str, resource_id: str) -> flask.Response:
        resource = self._body(kind, "update")
        if not _ID.fullmatch(resource_id) or resource.get("id") != resource_id:
            raise Refusal(400, "value", "the id in the body is not the one in the URL")
        if answer := self._scripted():
            return answer
        with self._ehr.write_lock:
            present = self._ehr.records.get(kind, resource_id)
            if present is None and not self._ehr.update_create:
                raise Refusal(405, "not-supported", "ids are given out by this server")
            expected = flask.request.headers.get("If-Match")
            if expected is not None and (present is None or expected != _etag(present)):
                raise Refusal(412, "conflict", "another version is the present one")
            rules.check(resource, self._ehr.records)
            stored = self._ehr.records.put(self._ehr.without_ignored(resource), resource_id)
        return self._settle(stored, 200 if present else 201)

    def read(self, kind: str, resource_id: str) -> flask.Response:
        self._authorize(kind, "read")
        found = self._ehr.records.get(kind, resource_id)
        if found is None:
            raise Refusal(404, "not-found", "nothing by that id")
        return self._answer(found, 200)

    def search(self, kind: str) -> flask.Response:
        self._authorize(kind, "search-type")
        asked = [*flask.request.args.items(multi=True), *flask.request.form.items(multi=True)]
        criteria = [(name, value) for name, value in asked if name not in _RESULT_PARAMETERS]
        found = self._ehr.records.search(kind, criteria)
        return _json(self._page(kind, criteria, found, dict(asked)), 200)

    def _page(
        self, kind: str, criteria: Sequence[tuple[str, str]], found: list[Resource], asked: dict[str, str]
    ) -> Resource:
        offset = int(asked.get("_offset", "0"))
        size = min(int(asked.get("_count", self._ehr.page_size)), self._ehr.page_size)
        base = f"{self._ehr.base_url}/{kind}"
        links = [{"relation": "self", "url": f"{base}?{urlencode(criteria)}"}]
        if offset + size < len(found):
            following = [*criteria, ("_count", str(size)), ("_offset", str(offset + size))]
            links.append({"relation": "next", "url": f"{base}?{urlencode(following)}"})
        entries = [
            {"fullUrl": f"{base}/{each['id']}", "resource": each, "search": {"mode": "match"}}
            for each in found[offset : offset + size]
        ]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links}
        return {**bundle, "entry": entries} if entries else bundle

    def _authorize(self, kind: str, interaction: str) -> None:
        self._ehr.access.check(flask.request.headers.get("Authorization", ""))
        if interaction not in self._ehr.interactions(kind):
            known = bool(self._ehr.interactions(kind))
            raise Refusal(405 if known else 404, "not-supported", f"{interaction} of {kind} is not offered")

    def _body(self, kind: str, interaction: str) -> Resource:
        self._authorize(kind, interaction)
        if flask.request.mimetype not in _JSON_TYPES:
            raise Refusal(415, "not-supported", f"send {_FHIR_JSON}")
        try:
            resource = json.loads(flask.request.get_data())
        except ValueError as error:
            raise Refusal(400, "structure", "the body is not JSON") from error
        if not isinstance(resource, dict) or resource.get("resourceType") != kind:
            raise Refusal(400, "structure", "the resourceType is not the one in the URL")
        return resource

    def _scripted(self) -> flask.Response | None:
        """The answer that the script has instead of this write; None when the write is to be done."""
        answer = self._ehr.script.next()
        if answer is None:
            return None
        if answer.kind == "store-then-silence":
            flask.g.silence_s = answer.silence_s
            return None
        if answer.kind == "lose":
            kind = flask.request.path.split("/")[2]
            meta = {"versionId": "1"}
            return self._answer({"resourceType": kind, "id": uuid.uuid4().hex, "meta": meta}, answer.status)
        response = _outcome(Refusal(answer.status, "transient", "as the test wants it"))
        if answer.retry_after:
            response.headers["Retry-After"] = answer.retry_after
        return response

    def _settle(self, stored: Resource, status: int) -> flask.Response:
        if silence_s := flask.g.get("silence_s", 0):
            self._ehr.stopping.wait(silence_s)
        return self._answer(stored, status)

    def _answer(self, resource: Resource, status: int) -> flask.Response:
        minimal = "return=minimal" in flask.request.headers.get("Prefer", "")
        response = flask.Response(status=status) if minimal else _json(resource, status)
        version = resource["meta"]["versionId"]
        response.headers["ETag"] = _etag(resource)
        if flask.request.method != "GET":
            location = f"{self._ehr.base_url}/{resource['resourceType']}/{resource['id']}/_history/{version}"
            response.headers["Location"] = location
        return response


def search_parameters(kind: str) -> list[dict[str, str]]:
    """CapabilityStatement.rest.resource.searchParam of a type."""
    types = {"identifier": "token", "subject": "reference", "basedOn": "reference", "birthDate": "date"}
    return [{"name": name, "type": types.get(element, "token")} for name, element in parameters_of(kind).items()]


def _etag(resource: Resource) -> str:
    return f'W/"{resource["meta"]["versionId"]}"'


def _json(body: Any, status: int) -> flask.Response:
    return flask.Response(json.dumps(body, ensure_ascii=False), status=status, content_type=_FHIR_JSON)


def _outcome(refusal: Refusal) -> flask.Response:
    issues = [{"severity": "error", "code": refusal.code, "diagnostics": each} for each in refusal.diagnostics]
    response = _json({"resourceType": "OperationOutcome", "issue": issues}, refusal.status)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _other_outcome(error: HTTPException) -> flask.Response:
    return _outcome(Refusal(error.code or 500, "processing", error.name))
