"""What is taken from the host of a client's keys."""

from collections.abc import Callable

import httpx
import pytest

from gateway.domain.errors import Permanent, Transient
from gateway.key_host import MOST_BYTES, fetch_keys

URL = "https://ehr.example/keys"


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
    return httpx.MockTransport(answer)


@pytest.mark.parametrize(
    ("control", "max_age_s"),
    [
        ("public, max-age=600", 600),
        ('max-age="60"', 60),
        ("s-maxage=5", 0),
        ("no-store", 0),
        ("max-age=-1", 0),
        ("Max-Age=7,public", 7),
        ("", 0),
    ],
)
def test_the_body_comes_with_its_max_age(control: str, max_age_s: float) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.method, str(request.url), request.headers["Accept-Encoding"]) == ("GET", URL, "identity")
        assert not {"authorization", "cookie"} & set(request.headers)
        return httpx.Response(200, content=b"{}", headers={"Cache-Control": control} if control else {})

    assert fetch_keys(URL, transport=answering(answer)) == (b"{}", max_age_s)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"Location": "http://169.254.169.254/latest"}),
        httpx.Response(404),
        httpx.Response(500),
        httpx.Response(204),
        httpx.Response(200, content=b" " * (MOST_BYTES + 1)),
        httpx.Response(200, content=b"", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["redirect", "not found", "failed", "empty", "too long", "compressed"],
)
def test_any_other_answer_is_refused(answer: httpx.Response) -> None:
    asked: list[httpx.Request] = []

    def give(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    with pytest.raises(Permanent):
        fetch_keys(URL, transport=answering(give))
    assert len(asked) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_no_answer_passes(error: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("4711")

    with pytest.raises(Transient) as caught:
        fetch_keys(URL, transport=answering(fail))
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://[::1/keys", "https://ehr.example/\x00"])
def test_an_address_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(Permanent):
        fetch_keys(url, transport=answering(lambda _: httpx.Response(200, content=b"{}")))
