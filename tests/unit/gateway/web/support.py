"""A gateway with two clinics and a reviewer, and a client of each, over Flask's test client."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, select
from werkzeug.test import TestResponse

from fhir_mappings.json_text import write_json
from gateway.domain.errors import Full, Transient
from gateway.domain.ids import new_id
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.domain.resource import StoredResource
from gateway.domain.work import QUEUES, WorkerPresence
from gateway.services.client_proof import BySecret, prove
from gateway.services.clients import add_client
from gateway.services.resource_transaction import Effect
from gateway.services.tokens import issue_token
from gateway.store import parties, workers
from gateway.store.engine import Database
from gateway.store.tables import audit
from gateway.web.application import create_application
from gateway.web.edge import Admission, Edge, Surroundings
from gateway.web.rates import Limits, Rates
from tests.core import PSEUDONYM_KEY, Clock, core_over

START = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
BASE = "https://gateway.example"
FHIR_JSON = "application/fhir+json"
PROXY = "10.0.0.7"
SCRAPER = "127.0.0.1"
LIMITS = Limits(tokens=120, requests=12_000, failures=30)
KINDS = {
    "clinic": PartyKind.CLINIC,
    "other-clinic": PartyKind.CLINIC,
    "reviewer": PartyKind.REVIEWER,
    "other-reviewer": PartyKind.REVIEWER,
}


@dataclass
class Disk:
    """Room for so many bytes."""

    free_bytes: int = 10**9

    def require_room(self, size_bytes: int) -> None:
        if size_bytes > self.free_bytes:
            raise Full("no room")

    def check(self) -> None:
        self.require_room(0)


@dataclass
class Effects:
    """Remembers what was set in motion, and refuses what it is told to refuse."""

    seen: list[StoredResource] = field(default_factory=list)
    refusals: dict[str, Exception] = field(default_factory=dict)

    def by_type(self, *types: str) -> Mapping[str, Effect]:
        return dict.fromkeys(types, self._run)

    def _run(self, connection: Connection, stored: StoredResource) -> None:
        if stored.type in self.refusals:
            raise self.refusals[stored.type]
        self.seen.append(stored)


@dataclass
class PublishedKeys:
    """Hosts of keys: what each address answers, and how often it was asked."""

    answers: dict[str, tuple[bytes, float] | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str) -> tuple[bytes, float]:
        self.asked.append(url)
        answer = self.answers.get(url, Transient("nobody is there"))
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    """`credentials` are (client id, secret) by party name; requests are made with a token of that party."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.clock, self.disk, self.effects = Clock(START), Disk(), Effects()
        self.core = core_over(database, folder, self.clock)
        self.keys = PublishedKeys()
        self.credentials: dict[str, tuple[str, str]] = {}
        self.party_ids: dict[str, str] = {}
        self._tokens: dict[tuple[str, datetime], str] = {}
        for name, kind in KINDS.items():
            self._register(name, kind)
        self.edge = Edge(
            database=database,
            blobs=self.disk,
            now=self.clock,
            effects=self.effects.by_type("Patient", "ServiceRequest", "Consent", "DiagnosticReport", "Composition"),
            before_storing={},
            version="1.2.3",
            started_on=self.clock().date().isoformat(),
            base_url=BASE,
            max_body_bytes=1_000_000,
            token_lifetime_s=300,
            surroundings=Surroundings(folder, 0, None, 600, lambda: ""),
            admission=Admission(self.keys.fetch, Rates(LIMITS), (ip_network(PROXY),), (ip_network(SCRAPER),)),
            pseudonym_key=PSEUDONYM_KEY,
        )
        self.worker_shows()
        self.application: Flask = create_application(self.edge)
        self.http: FlaskClient = self.application.test_client()

    def sets_in_motion(self, effects: Mapping[str, Effect]) -> None:
        """From now on what is stored has these effects."""
        self.edge = replace(self.edge, effects=effects)
        self.application = create_application(self.edge)
        self.http = self.application.test_client()

    def worker_shows(self, waits_for: str = "", queues: Iterable[str] = QUEUES.values()) -> None:
        """The one worker of this gateway is there at this moment."""
        presence = WorkerPresence("machine", frozenset(queues), waits_for)
        with self.database.write("test.worker") as connection:
            workers.show(connection, "worker", presence, now=self.clock())

    def token(self, name: str = "clinic") -> str:
        """A token that the party fetched at this time."""
        key = (name, self.clock())
        if key not in self._tokens:
            self._tokens[key] = self._issued(name)
        return self._tokens[key]

    def _issued(self, name: str) -> str:
        client_id, secret = self.credentials[name]
        shown, now = BySecret(client_id, secret), self.clock()
        proven = prove(self.database, shown, certificate=None, fetch=self.keys.fetch, now=now)
        return issue_token(self.database, proven, now=now).token

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str = "clinic",
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> TestResponse:
        """A FHIR request, `path` below /fhir."""
        sent = {"Authorization": f"Bearer {self.token(by)}", **(headers or {})}
        if body is not None or raw is not None:
            sent.setdefault("Content-Type", FHIR_JSON)
        data = raw if raw is not None else (None if body is None else write_json(body))
        return self.http.open(f"/fhir{path}", method=method, data=data, headers=sent)

    def audit_rows(self, action: str) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(audit).where(audit.c.action == action).order_by(audit.c.id)))

    def _register(self, name: str, kind: PartyKind) -> None:
        identifiers = (Identifier("https://parties.example", name),)
        party = Party(new_id(), kind, name, identifiers, "TR", "Europe/Istanbul")
        with self.database.write("test.parties") as connection:
            parties.add_party(connection, party, now=self.clock())
        self.party_ids[name] = party.id
        new = add_client(self.core, name, f"{name}-client", actor="cli:test")
        self.credentials[name] = (new.client_id, new.secret)


def patient(record_number: str = "4711", **more: Any) -> dict[str, Any]:
    identifier = {"system": "https://clinic.example/mrn", "value": record_number}
    return {"resourceType": "Patient", "identifier": [identifier], "name": [{"family": "Öztürk"}], **more}


def order(patient_reference: str, number: str = "ORD-1") -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "https://clinic.example/orders", "value": number}],
        "status": "active",
        "intent": "order",
        "subject": {"reference": patient_reference},
    }


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def posted(resource: dict[str, Any], full_url: str = "", **request: str) -> dict[str, Any]:
    entry = {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"], **request}}
    return {"fullUrl": full_url, **entry} if full_url else entry


def put(resource: dict[str, Any], **request: str) -> dict[str, Any]:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url, **request}}


def problem(response: TestResponse) -> tuple[int, str, str]:
    """Status, code and expression of an OperationOutcome."""
    assert response.mimetype == FHIR_JSON
    (issue,) = response.get_json(force=True)["issue"]
    return response.status_code, issue["code"], issue.get("expression", [""])[0]
