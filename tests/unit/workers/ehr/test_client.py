"""The session: where it goes, and what it says about itself."""

import httpx
import pytest

from gateway.domain.errors import Permanent
from gateway.domain.party import FhirAddress
from tests.unit.workers.ehr.double import NOW, wired_to
from workers.ehr.client import Call, Session, Wiring, base_url


@pytest.mark.parametrize("url", ["https://e.example/fhir", "https://e.example/fhir/", " https://e.example/fhir// "])
def test_a_base_url_ends_without_a_slash(url: str) -> None:
    assert str(base_url(FhirAddress(url))) == "https://e.example/fhir"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ehr",
        "ftp://e.example",
        "https://",
        "https://u:p@e.example",
        "https://e.example/?x=1",
        "https://e:99999999/",
    ],
)
def test_anything_else_than_a_plain_base_url_is_refused(url: str) -> None:
    with pytest.raises(Permanent, match="base URL"):
        base_url(FhirAddress(url))


def test_a_resource_goes_out_as_fhir_json_and_uncompressed_answers_are_asked_for() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201)

    wiring = wired_to(answer)
    with Session(FhirAddress("https://e.example/fhir"), before_send=lambda: None, wiring=wiring) as session:
        session.send(Call("POST", "Basic", resource={"resourceType": "Basic", "text": "Öztürk"}, is_write=True))

    (request,) = seen
    assert str(request.url) == "https://e.example/fhir/Basic"
    assert request.headers["content-type"] == "application/fhir+json"
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers
    assert "Öztürk" in request.content.decode()


def test_a_ca_file_that_is_not_there_is_named() -> None:
    address = FhirAddress("https://e.example/fhir", ca_file="/nowhere/ca.pem")
    with pytest.raises(Permanent, match=r"/nowhere/ca\.pem"):
        Session(address, before_send=lambda: None, wiring=Wiring(lambda: NOW))
