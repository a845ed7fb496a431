"""The clinic is played by clients that nobody here wrote, against several processes of gunicorn, on both databases."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from fhirclient.client import FHIRClient
from fhirclient.models import consent as consents
from fhirclient.models import patient as patients
from fhirclient.models import servicerequest, task
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound
from requests.exceptions import HTTPError
from sqlalchemy import func, select

from gateway.demo import resources as demo
from gateway.domain.delivery import Flow
from gateway.domain.ids import new_id
from gateway.domain.party import Identifier
from gateway.services.resources import store_internal
from gateway.store.tables import resource, resource_identifier, resource_version
from tests.acceptance.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.unit.gateway.web.support import FHIR_JSON, patient

AT_ONCE = 64
PROCESSES = 3
CLINIC = Identifier("urn:oid:1.2.3", "clinic")
REVIEWER = Identifier("urn:oid:1.2.3", "reviewer")
CONDITION = "identifier=https%3A%2F%2Fclinic.example%2Fmrn%7C4711"
Json = dict[str, Any]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The web alone: what a worker does later is no concern of these."""
    folder, several = tmp_path_factory.mktemp("clients"), str(PROCESSES)
    if request.param == "sqlite":
        yield from _started(Gateway(folder, CONSILIUM_WEB__WORKERS=several))
        return
    with Postgres() as server:
        url = server.create_database("clients")
        yield from _started(Gateway(folder, CONSILIUM_DATABASE_URL=url, CONSILIUM_WEB__WORKERS=several))


def _started(gateway: Gateway) -> Iterator[Gateway]:
    try:
        gateway.start("web")
        for kind, party in (("clinic", CLINIC), ("reviewer", REVIEWER)):
            who = ("--identifier", f"{party.system}|{party.value}", "--country", "TR", "--time-zone", "Europe/Istanbul")
            gateway.cli(kind, "add", party.value, *who)
        yield gateway
    finally:
        gateway.stop()
        gateway.database.dispose()


@pytest.fixture(scope="module")
def token(gateway: Gateway) -> str:
    client = gateway.shown("client", "add", CLINIC.value)
    return gateway.token(client["client_id"], client["client_secret"])


@pytest.fixture
def data() -> demo.CaseData:
    """Of a patient of each test's own."""
    number = uuid.uuid4().hex[:8].upper()
    born = date(1961, 4, 23)
    return demo.CaseData("Öztürk", "Ayşe", born, "female", number, f"O{number}", "", f"A{number}", CLINIC, REVIEWER)


def order_of(data: demo.CaseData, patient_id: str) -> Json:
    """The clinic asks for itself, by its identifier."""
    requester = {"identifier": {"system": CLINIC.system, "value": CLINIC.value}}
    return demo.service_request(data, f"Patient/{patient_id}", "") | {"requester": requester}


def written(gateway: Gateway, content: Json) -> None:
    """By the gateway itself."""
    with gateway.database.write("test.written") as connection:
        owner = connection.execute(select(resource.c.party_id).limit(1)).scalar_one()
        store_internal(connection, owner, content, now=datetime.now(UTC))


def test_sixty_four_conditional_creates_make_one_resource(gateway: Gateway, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": FHIR_JSON, "If-None-Exist": CONDITION}
    limits = httpx.Limits(max_connections=AT_ONCE)
    gate = threading.Barrier(AT_ONCE)
    with httpx.Client(base_url=f"{gateway.url}/fhir", headers=headers, limits=limits, timeout=60) as session:

        def create(number: int) -> httpx.Response:
            gate.wait(30)
            return session.post("/Patient", json=patient(gender="male" if number % 2 else "female"))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(create, range(AT_ONCE)))
    assert sorted(answer.status_code for answer in answers) == [200] * (AT_ONCE - 1) + [201]
    assert len({(answer.json()["id"], answer.headers["ETag"], answer.content) for answer in answers}) == 1
    with gateway.database.read() as connection:
        for table in (resource, resource_version, resource_identifier):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 1


def test_fhirpy_plays_the_clinic(gateway: Gateway, token: str, data: demo.CaseData) -> None:
    client: Any = SyncFHIRClient(f"{gateway.url}/fhir", authorization=f"Bearer {token}")
    named = {"identifier": f"{demo.MRN_SYSTEM}|{data.record_number}"}
    new = client.resource("Patient", **demo.patient_resource(data))
    with pytest.raises(OperationOutcome, match="If-None-Exist"):  # it sends conditions in a way that is not R4's
        client.resources("Patient").search(**named).get_or_create(new)
    client.extra_headers = {"If-None-Exist": f"identifier={demo.MRN_SYSTEM}|{data.record_number}"}
    mine, again = client.resource("Patient", **new).create(), client.resource("Patient", **new).create()
    client.extra_headers = {}
    assert mine.id == again.id
    assert [one.id for one in client.resources("Patient").search(**named).fetch_all()] == [mine.id]

    found = client.resources("Patient").search(family="ozt", birthdate__ge="1961-04", birthdate__lt="1961-05").fetch()
    assert mine.id in [one.id for one in found]
    order = client.resource("ServiceRequest", **order_of(data, mine.id)).create()
    given = [client.resource("Consent", **demo.consent(data, flow, f"Patient/{mine.id}")) for flow in Flow]
    for one in given:
        one.save()
    of_patient = client.resources("Consent").search(patient=mine.id)
    assert {one.id for one in of_patient.limit(1).fetch_all()} == {one.id for one in given}

    mine["gender"] = "other"
    client.extra_headers = {"If-Match": 'W/"1"'}
    mine.save()
    with pytest.raises(MultipleResourcesFound):  # what fhirpy makes of 412
        client.resource("Patient", **again).save()
    client.extra_headers = {}
    given[0]["status"] = "inactive"
    given[0].save()
    assert [one.id for one in of_patient.search(status="inactive").fetch()] == [given[0].id]
    assert client.get("Consent", given[0].id)["status"] == "inactive"

    about = {"subject": {"reference": f"Patient/{mine.id}"}, "basedOn": [{"reference": f"ServiceRequest/{order.id}"}]}
    told = {"resourceType": "Communication", "status": "completed", "sent": "2026-03-02T09:00:00Z", **about}
    written(gateway, told)
    [read] = client.resources("Communication").search(based_on=f"ServiceRequest/{order.id}", sent="2026-03").fetch()
    assert read["sent"] == told["sent"]
    with pytest.raises(ResourceNotFound):
        client.get("DiagnosticReport", "nobody")


def test_fhirclient_plays_the_clinic(gateway: Gateway, token: str, data: demo.CaseData) -> None:
    smart = FHIRClient(settings={"app_id": "clinic", "api_base": f"{gateway.url}/fhir"})
    server = smart.server
    server.session.headers["Authorization"] = f"Bearer {token}"  # it knows the flows of people, not of machines
    assert server.capabilityStatement.fhirVersion == "4.0.1"

    mine = patients.Patient(demo.patient_resource(data)).create(server)["id"]
    asked = servicerequest.ServiceRequest(order_of(data, mine)).create(server)["id"]
    consent = consents.Consent(demo.consent(data, Flow.DISCLOSE_TO_REVIEWER, f"Patient/{mine}"))
    given = consent.create(server)["id"]
    [found] = servicerequest.ServiceRequest.where({"patient": mine, "status": "active"}).perform_resources_iter(server)
    assert found.id == asked

    known = consents.Consent.read(given, server)
    known.status = "inactive"
    assert known.update(server)["meta"]["versionId"] == "2"
    search = consents.Consent.where({"patient": f"Patient/{mine}", "date": "ge2026-01-04"})
    assert [one.status for one in search.perform_resources_iter(server)] == ["inactive"]
    todos = sorted(new_id() for _ in range(3))
    for todo in todos:
        about = {"for": {"reference": f"Patient/{mine}"}, "focus": {"reference": f"ServiceRequest/{asked}"}}
        written(gateway, {"resourceType": "Task", "id": todo, "status": "requested", "intent": "order"} | about)
    waiting = task.Task.where({"focus": f"ServiceRequest/{asked}", "_count": "2"})
    assert [one.id for one in waiting.perform_resources_iter(server)] == todos

    wrong = demo.patient_resource(data) | {"birthDate": "1961", "identifier": [{"system": "a", "value": mine}]}
    with pytest.raises(HTTPError, match="422"):
        patients.Patient(wrong).create(server)
