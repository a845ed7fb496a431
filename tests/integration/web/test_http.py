"""The HTTP edge over sockets: curl as a client that nobody here wrote, and many threads at once."""

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import func, select
from werkzeug.serving import BaseWSGIServer, make_server

from gateway.store.engine import Database
from gateway.store.tables import resource, resource_version
from tests.integration.web.curl import curl
from tests.unit.gateway.web.support import FHIR_JSON, World, bundle, order, patient, posted

THREADS = 16
MRN = "identifier=https%3A%2F%2Fclinic.example%2Fmrn%7C4711"


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


@pytest.fixture
def server(world: World) -> Iterator[BaseWSGIServer]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    serving = make_server("127.0.0.1", 0, world.application, threaded=True)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.fixture
def client(server: BaseWSGIServer, world: World) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {world.token()}", "Content-Type": FHIR_JSON}
    limits = httpx.Limits(max_connections=THREADS)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}/fhir", headers=headers, limits=limits, timeout=60
    ) as session:
        yield session


def test_a_clinic_comes_with_curl(server: BaseWSGIServer, world: World, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{server.port}"
    client_id, secret = world.credentials["clinic"]
    status, _, granted = curl(
        "-u", f"{client_id}:{secret}", "-d", "grant_type=client_credentials", f"{address}/oauth/token"
    )
    assert (status, granted["token_type"]) == (200, "Bearer")
    status, _, capabilities = curl(f"{address}/fhir/metadata")
    assert (status, capabilities["fhirVersion"]) == (200, "4.0.1")

    with_token = ("-H", f"Authorization: Bearer {granted['access_token']}", "-H", f"Content-Type: {FHIR_JSON}")
    url = "urn:uuid:6b1cd3b5-a6a2-4a5e-8f3e-000000000001"
    sent = tmp_path / "bundle.json"
    sent.write_text(json.dumps(bundle(posted(patient(), url), posted(order(url)))), encoding="utf-8")
    status, _, answered = curl(*with_token, "--data-binary", f"@{sent}", f"{address}/fhir")
    assert (status, [entry["response"]["status"] for entry in answered["entry"]]) == (200, ["201 Created"] * 2)

    search = ("-G", "--data-urlencode", "identifier=https://clinic.example/mrn|4711")
    _, _, found = curl(*with_token, *search, f"{address}/fhir/Patient")
    stored = found["entry"][0]["resource"]
    path = f"{address}/fhir/Patient/{stored['id']}"
    update = ("-X", "PUT", "-H", 'If-Match: W/"1"', "--data", json.dumps(stored | {"gender": "female"}))
    status, headers, _ = curl(*with_token, *update, path)
    assert (status, headers["etag"]) == (200, 'W/"2"')
    status, _, outcome = curl(*with_token, *update, path)
    assert (status, outcome["issue"][0]["code"]) == (412, "conflict")
    chunked = ("-H", "Transfer-Encoding: chunked", "--data", json.dumps(patient("4712")))
    assert curl(*with_token, *chunked, f"{address}/fhir/Patient")[0] == 201


def at_once(call: Any) -> list[httpx.Response]:
    gate = threading.Barrier(THREADS)

    def run(number: int) -> httpx.Response:
        gate.wait(30)
        answered: httpx.Response = call(number)
        return answered

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def count(world: World, table: Any) -> int:
    with world.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_conditional_creates_that_race_make_one_resource(client: httpx.Client, world: World) -> None:
    answers = at_once(lambda _: client.post("/Patient", json=patient(), headers={"If-None-Exist": MRN}))
    assert sorted(answer.status_code for answer in answers) == [200] * (THREADS - 1) + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (count(world, resource), len(world.effects.seen)) == (1, 1)


def test_plain_creates_that_race_make_one_resource_and_conflicts(client: httpx.Client, world: World) -> None:
    answers = at_once(lambda _: client.post("/Patient", json=patient()))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (THREADS - 1)
    assert count(world, resource) == 1


def test_updates_that_race_on_one_version_have_one_winner(client: httpx.Client, world: World) -> None:
    content = client.post("/Patient", json=patient()).json()
    tagged = {"If-Match": 'W/"1"'}
    answers = at_once(lambda _: client.put(f"/Patient/{content['id']}", json=content, headers=tagged))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (THREADS - 1)
    assert count(world, resource_version) == 2


def test_a_body_that_claims_too_much_is_refused_unread(client: httpx.Client) -> None:
    answered = client.post("/Patient", content=b" " * 2_000_000)
    assert (answered.status_code, answered.json()["issue"][0]["code"]) == (413, "too-long")


def test_the_access_log_is_json_when_so_configured(client: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    try:
        client.get("/Patient?identifier=https://clinic.example/mrn|4711")
    finally:
        structlog.reset_defaults()
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["route"], line["status"], line["client_id"]) == ("/fhir/<resource_type>", 200, "clinic-client")
