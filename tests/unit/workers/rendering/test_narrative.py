import pytest

from gateway.domain.errors import Invalid
from tests.unit.fhir_mappings.samples import div
from workers.rendering.narrative import to_html

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("<p>a<br/>b &lt; c</p>", "<p>a<br>b &lt; c</p>"),
        ("<tt>a</tt><big>b</big><acronym>c</acronym>", "<code>a</code><span>b</span><abbr>c</abbr>"),
        ("<h1>a</h1><h6>b</h6>", "<h3>a</h3><h6>b</h6>"),
        ('<a name="x">a</a><a href="#x">b</a>', '<a id="summary-x">a</a><a href="#summary-x">b</a>'),
        ('<p class="cover">a</p>', "<p>a</p>"),
        ('<p xml:lang="ar" dir="rtl">a</p>', '<p lang="ar" dir="rtl">a</p>'),
        ('<td align="right" style="color: red">a</td>', '<td style="text-align: right; color: red">a</td>'),
        (
            '<table><col width="30%"/><tr><td>a</td></tr></table>',
            '<table><col style="width: 30%"><tr><td>a</td></tr></table>',
        ),
        ("<p><!-- x -->a<b>b</b><!-- y -->c</p>", "<p>a<b>b</b>c</p>"),
        (f'<img src="{PIXEL}" height="12"/>', f'<img src="{PIXEL}" style="height: 12px" alt="">'),
    ],
)
def test_it_says_the_same_in_html_5(body: str, html: str) -> None:
    assert to_html(div(body), id_prefix="summary-") == f"<div>{html}</div>"


def test_it_is_the_second_wall() -> None:
    with pytest.raises(Invalid):
        to_html(div("<script>x</script>"), id_prefix="summary-")
