"""The whole renderer: WeasyPrint with Pango and the fonts of this machine, its output read by pypdf."""

import hashlib
import io
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from tinyhtml5.parser import HTMLParser

from gateway.domain.errors import Invalid
from gateway.domain.report import SECTION_TITLES, Rendition
from tests.integration.rendering.samples import INSTITUTION, PATIENT, PSEUDONYM, narrative, report
from workers.rendering.report import render_report

ROOT = Path(__file__).parents[3]
IDENTIFIER = "sha256:0f1e2d3c"


@pytest.fixture(scope="module")
def identified() -> Rendition:
    return render_report(report(), PATIENT, fixed_identifier=IDENTIFIER, institution=INSTITUTION)


@pytest.fixture(scope="module")
def pseudonymous() -> Rendition:
    return render_report(report(), PSEUDONYM, fixed_identifier=IDENTIFIER, institution=INSTITUTION)


def trailer(rendition: Rendition) -> Any:
    """The PDF's trailer dictionary, from which everything in the file is reached."""
    return PdfReader(io.BytesIO(rendition.pdf)).trailer


def pages(rendition: Rendition) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(rendition.pdf)).pages]


def test_identity_and_page_number_stand_on_every_page(identified: Rendition) -> None:
    texts = pages(identified)
    assert len(texts) >= 3
    for number, text in enumerate(texts, start=1):
        assert "Ayşe Gülşen ÖZTÜRK-İĞDIR" in text
        assert "1961-04-23" in text
        assert "MRN-004711" in text
        assert f"Page {number} of {len(texts)}" in text


def test_the_ten_parts_follow_one_another(identified: Rendition) -> None:
    body = "\n".join(pages(identified)[1:])
    places = [body.index(title) for title in (*SECTION_TITLES.values(), "Signature and contact")]
    assert places == sorted(places)
    cover = pages(identified)[0]
    for fact in ("2026-03-02", "Prof. Dr. Deniz Yıldırım", "Head and neck surgery", INSTITUTION.name, "2 (amended)"):
        assert fact in cover
    closing = pages(identified)[-1]
    for fact in ("2026-03-02, 09:30 (UTC+03:00)", "second.opinion@consilium.example", "by video"):
        assert fact in closing
    assert "Organ preservation should be offered" in body


def test_every_script_of_the_service_has_its_letters(identified: Rendition) -> None:
    text = "\n".join(pages(identified))
    for words in ("органосохраняющее", "gırtlağın", "70 Gy in 35 fractions"):
        assert words in text
    # Extraction returns Arabic in visual or logical order and in presentation forms, depending on the reader.
    assert sum("\u0600" <= letter <= "\u06ff" or "\ufb50" <= letter <= "\ufeff" for letter in text) > 20
    assert "\ufffd" not in text
    drawn: list[Any] = list(PdfReader(io.BytesIO(identified.pdf)).pages)
    fonts = {name: font.get_object() for page in drawn for name, font in page["/Resources"]["/Font"].items()}
    assert len(fonts) >= 3
    for font in fonts.values():
        descendant = font["/DescendantFonts"][0].get_object()
        assert "Noto" in descendant["/BaseFont"]
        assert "/FontFile2" in descendant["/FontDescriptor"] or "/FontFile3" in descendant["/FontDescriptor"]


def test_the_pseudonymous_rendition_has_the_pseudonym_alone(pseudonymous: Rendition) -> None:
    for text in pages(pseudonymous):
        assert PSEUDONYM.name in text
        assert "Born" not in text
        assert "Record" not in text
    everything = "\n".join(pages(pseudonymous)) + pseudonymous.html.decode()
    for secret in ("Ayşe", "ÖZTÜRK", "1961", "4711"):
        assert secret not in everything
    assert PSEUDONYM.name not in str(PdfReader(io.BytesIO(pseudonymous.pdf)).metadata)


def test_it_is_pdf_a_3_with_the_identifier_given(identified: Rendition) -> None:
    metadata = trailer(identified)["/Root"]["/Metadata"].get_data().decode()
    assert 'pdfaid:part="3" pdfaid:conformance="U"' in metadata
    assert str(trailer(identified)["/ID"][0]) == hashlib.sha256(IDENTIFIER.encode()).hexdigest()[:32]
    assert trailer(identified)["/Root"]["/OutputIntents"]


RENDER = """
import hashlib, sys
from tests.integration.rendering.samples import INSTITUTION, PATIENT, report
from workers.rendering.report import render_report
done = render_report(report(), PATIENT, fixed_identifier=sys.argv[1], institution=INSTITUTION)
print(hashlib.sha256(done.pdf).hexdigest(), hashlib.sha256(done.html).hexdigest())
"""


def test_the_same_input_gives_the_same_bytes_in_another_process(identified: Rendition) -> None:
    expected = [hashlib.sha256(data).hexdigest() for data in (identified.pdf, identified.html)]
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        finished = subprocess.run(
            [sys.executable, "-c", RENDER, IDENTIFIER],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert finished.stdout.split() == expected


def test_the_html_parses_without_an_error_and_needs_nothing_else(identified: Rendition) -> None:
    parser = HTMLParser()
    parser.parse(io.BytesIO(identified.html))
    assert parser.errors == []
    text = identified.html.decode()
    assert '<html lang="en">' in text
    for address in ("http://", "https://", "file:", "<script", "<link", "url("):
        assert address not in text


def test_what_is_written_in_arabic_runs_from_right_to_left() -> None:
    html = render_report(
        replace(report(), language="ar"), PATIENT, fixed_identifier=IDENTIFIER, institution=INSTITUTION
    ).html.decode()
    assert html.count('class="narrative" lang="ar" dir="rtl"') == len(SECTION_TITLES)


def test_names_and_conclusions_are_text_and_never_markup() -> None:
    sharp = replace(PATIENT, name="<b>Ayşe</b> & Co")
    rendition = render_report(
        replace(report(), conclusion="T1 < T2"), sharp, fixed_identifier=IDENTIFIER, institution=INSTITUTION
    )
    assert "<b>Ayşe</b> & Co" in pages(rendition)[0]
    assert "T1 < T2" in "".join(pages(rendition))


@pytest.fixture
def visits() -> Iterator[tuple[int, list[bytes]]]:
    """A web server that notes whoever comes."""
    seen: list[bytes] = []

    class Note(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            seen.append(self.rfile.readline())

    with socketserver.TCPServer(("127.0.0.1", 0), Note) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1], seen
        server.shutdown()
        thread.join()


HOSTILE = [
    '<p>x<img src="http://127.0.0.1:{port}/a.png" alt=""/></p>',
    '<p>x<img src="file:///etc/hostname" alt=""/></p>',
    '<p style="background: url(http://127.0.0.1:{port}/b)">x</p>',
    "<style>@import url(http://127.0.0.1:{port}/c);</style><p>x</p>",
    '<link rel="stylesheet" href="http://127.0.0.1:{port}/d"/><p>x</p>',
    '<p>x<img src="data:image/svg+xml;base64,PHN2Zy8+" alt=""/></p>',
    '<p>x<img src="data:image/png;base64,AAAA" alt=""/></p>',
    '<p style="position: fixed; top: 0">x</p>',
    "<script>x</script><p>x</p>",
]


@pytest.mark.parametrize("body", HOSTILE)
def test_a_hostile_narrative_is_refused_and_fetches_nothing(body: str, visits: tuple[int, list[bytes]]) -> None:
    port, seen = visits
    with pytest.raises(Invalid):
        render_report(
            report(summary=narrative(body.replace("{port}", str(port)))),
            PATIENT,
            fixed_identifier=IDENTIFIER,
            institution=INSTITUTION,
        )
    assert seen == []


def test_a_report_without_all_its_sections_is_refused() -> None:
    with pytest.raises(Invalid):
        render_report(
            replace(report(), sections=report().sections[:7]),
            PATIENT,
            fixed_identifier=IDENTIFIER,
            institution=INSTITUTION,
        )
