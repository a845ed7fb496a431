"""An answer is capped in size, never unfolded, never redirected."""

from collections.abc import Iterator

import httpx
import pytest

from gateway.domain.errors import Permanent, Transient
from workers.ehr.answer import Answer
from workers.ehr.exchange import Limits, exchange

LIMITS = Limits(max_answer_bytes=1000)


class Stream(httpx.SyncByteStream):
    """A body that comes in pieces and may break off."""

    def __init__(self, pieces: list[bytes], *, breaks_off: bool = False) -> None:
        self.pieces = pieces
        self.breaks_off = breaks_off
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.sent += 1
            yield piece
        if self.breaks_off:
            raise httpx.ReadError("cut")


def ask(response: httpx.Response, *, is_write: bool = False, limits: Limits = LIMITS) -> Answer:
    client = httpx.Client(transport=httpx.MockTransport(lambda request: response))
    with client:
        return exchange(client, client.build_request("GET", "https://ehr.example/x"), limits, is_write=is_write)


def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    stream = Stream([b"x" * 600] * 1000)

    with pytest.raises(Permanent, match="larger than 1000 bytes"):
        ask(httpx.Response(200, stream=stream))

    assert stream.sent == 2


def test_a_compressed_body_is_refused_unread() -> None:
    stream = Stream([b"\x1f\x8b"])

    with pytest.raises(Permanent, match="compresses"):
        ask(httpx.Response(200, stream=stream, headers={"Content-Encoding": "gzip"}))

    assert stream.sent == 0


def test_a_read_that_breaks_off_is_worth_another_try() -> None:
    with pytest.raises(Transient, match="broke off"):
        ask(httpx.Response(200, stream=Stream([b"{"], breaks_off=True)))


@pytest.mark.parametrize("status", [200, 201, 400, 503])
def test_the_status_of_a_write_counts_even_when_its_body_is_lost(status: int) -> None:
    answer = ask(httpx.Response(status, stream=Stream([b"{"], breaks_off=True)), is_write=True)

    assert (answer.status, answer.body) == (status, b"")


def test_a_redirect_is_not_followed() -> None:
    answer = ask(httpx.Response(302, headers={"Location": "https://elsewhere.example/"}))

    assert answer.status == 302


@pytest.mark.parametrize("url", ["ftp://ehr.example/x", "//ehr.example/x"])
def test_another_scheme_is_for_a_person(url: str) -> None:
    with httpx.Client() as client, pytest.raises(Permanent, match="http or https"):
        exchange(client, httpx.Request("GET", url), LIMITS, is_write=False)


def test_a_reason_given_by_the_other_side_is_not_repeated() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("illegal header: Ozturk", request=request)

    with httpx.Client(transport=httpx.MockTransport(fail)) as client, pytest.raises(Transient) as caught:
        exchange(client, client.build_request("GET", "https://ehr.example/x"), LIMITS, is_write=False)

    assert "Ozturk" not in str(caught.value)
