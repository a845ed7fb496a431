import pytest

from fhir_mappings.narrative import check_narrative
from gateway.domain.errors import Invalid
from tests.unit.fhir_mappings.samples import div

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "body",
    [
        "<p>Ayşe &amp; &#xD6;ztürk</p>",
        '<table border="1"><thead><tr><th colspan="2">T</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>',
        f'<img src="{PIXEL}" alt="stamp"/>',
        '<p id="a" class="note" style="color: red; font-weight: bold">a</p><a href="#a">up</a>',
        '<p lang="ar" xml:lang="ar" dir="rtl">تقرير</p>',
        "<!-- a remark --><ul><li>one</li></ul>",
    ],
)
def test_formatting_is_allowed(body: str) -> None:
    assert check_narrative(div(body)) == div(body)


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>x",
        "<style>p { color: red }</style>x",
        '<p onclick="x()">x</p>',
        '<img src="http://tracker.example/a.png"/>',
        '<img src="//tracker.example/a.png"/>',
        '<img src="file:///etc/passwd"/>',
        '<img src="#seal"/>',
        '<img src="data:image/svg+xml;base64,PHN2Zy8+"/>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="https://elsewhere.example">x</a>',
        '<p style="background: url(http://tracker.example)">x</p>',
        '<p style="background: u\\72l(http://tracker.example)">x</p>',
        '<p style="position: fixed; top: 0">x</p>',
        '<p style="color: red; display:none">x</p>',
        '<p style="/**/position: fixed">x</p>',
        "<form><input/></form>x",
        "<iframe/>x",
        "<object/>x",
        '<svg xmlns="http://www.w3.org/2000/svg"><image/></svg>x',
        '<p xmlns="">x</p>',
        "<ins>x</ins>",
        "<?php x ?>x",
        "<p>unclosed",
        "<p>&nbsp;</p>x",
        "  <p> </p>",
        "<!-- only a remark -->",
    ],
)
def test_anything_active_fetched_hidden_or_broken_is_refused(body: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_narrative(div(body), at="Composition.section[0].text.div")
    assert refusal.value.at == "Composition.section[0].text.div"
    assert "tracker.example" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE div [<!ENTITY a SYSTEM "file:///etc/passwd">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>',
        "<div>no namespace</div>",
        '<p xmlns="http://www.w3.org/1999/xhtml">not a div</p>',
        "plain text",
        "",
        "\ud800",
    ],
)
def test_it_is_one_div_of_xhtml_without_doctype(text: str) -> None:
    with pytest.raises(Invalid):
        check_narrative(text)


def test_links_are_for_those_who_may() -> None:
    linked = div('<a href="https://clinic.example/Patient/1">x</a><a href="Patient/2">y</a><img src="#seal"/>')
    assert check_narrative(linked, may_link=True) == linked
    with pytest.raises(Invalid):
        check_narrative(div('<a href="data:text/html;base64,PHA+">x</a>'), may_link=True)
