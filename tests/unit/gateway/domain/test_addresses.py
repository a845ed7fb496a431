"""What names, countries and addresses may look like."""

from collections.abc import Callable

import pytest

from gateway.domain.addresses import (
    check_ae_title,
    check_country,
    check_host,
    check_identifier_system,
    check_name,
    check_port,
    check_url,
)
from gateway.domain.errors import Invalid


@pytest.mark.parametrize(("title", "checked"), [("PACS", "PACS"), (" A B ", "A B"), ("X" * 16, "X" * 16)])
def test_an_ae_title_is_stripped(title: str, checked: str) -> None:
    assert check_ae_title(title) == checked


@pytest.mark.parametrize("host", ["localhost", "pacs.example", "10.0.0.5", "::1", "a_b.example.", "xn--bcher-kva.de"])
def test_hosts(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (check_ae_title, ""),
        (check_ae_title, "   "),
        (check_ae_title, "X" * 17),
        (check_ae_title, "A\\B"),
        (check_ae_title, "ÄÖ"),
        (check_ae_title, "A\tB"),
        (check_host, ""),
        (check_host, "-a.example"),
        (check_host, "a..b"),
        (check_host, "300.1.1.1"),
        (check_host, "host:104"),
        (check_host, "x" * 64),
        (check_host, ".".join(["abcdefgh"] * 40)),
        (check_country, "tr"),
        (check_country, "XX"),
        (check_name, ""),
        (check_name, "a b"),
        (check_name, "-a"),
        (check_name, "x" * 61),
        (check_identifier_system, "no-scheme"),
        (check_identifier_system, "urn:oid:1 2"),
    ],
)
def test_refused(check: Callable[[str], str], value: str) -> None:
    with pytest.raises(Invalid):
        check(value)


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_outside_the_range(port: int) -> None:
    with pytest.raises(Invalid):
        check_port(port)


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://ehr.example/fhir/", "https://ehr.example/fhir"),
        ("http://127.0.0.1:9000/fhir", "http://127.0.0.1:9000/fhir"),
        ("http://localhost/fhir", "http://localhost/fhir"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_urls(url: str, checked: str) -> None:
    assert check_url(url, is_plain_http_allowed=False) == checked


@pytest.mark.parametrize(
    "url",
    [
        "ehr.example/fhir",
        "ftp://ehr.example",
        "https://",
        "https://me:secret@ehr.example",
        "https://ehr.example/fhir?x=1",
        "https://ehr.example/#a",
        "https://ehr.example:99999/",
        "https://ehr.example:0/",
        "https://-bad-/",
        "http://ehr.example/fhir",
        "http://10.0.0.5/fhir",
    ],
)
def test_urls_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url, is_plain_http_allowed=False)


def test_plain_http_beyond_this_machine_has_to_be_allowed() -> None:
    assert check_url("http://ehr.example/fhir", is_plain_http_allowed=True) == "http://ehr.example/fhir"
