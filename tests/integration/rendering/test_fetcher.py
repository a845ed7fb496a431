"""The renderer's walls by themselves, with WeasyPrint behind them and no check of the narrative before them."""

import pytest
from weasyprint import HTML
from weasyprint.urls import FatalURLFetchingError

from tests.integration.rendering.samples import PIXEL
from workers.rendering.fetcher import SealedFetcher


@pytest.mark.parametrize(
    "html",
    [
        '<img src="http://127.0.0.1:9/a.png">',
        '<img src="file:///etc/hostname">',
        '<img src="data:image/svg+xml,%3Csvg/%3E">',
        '<link rel="stylesheet" href="http://127.0.0.1:9/a.css">',
        "<style>@import url(file:///etc/hostname)</style>",
        "<p style='background: url(https://127.0.0.1:9/b)'>x</p>",
        "<style>@font-face { font-family: x; src: url(file:///etc/hostname) } p { font-family: x }</style><p>x</p>",
    ],
)
def test_no_address_is_opened(html: str) -> None:
    with pytest.raises(FatalURLFetchingError):
        HTML(string=html, url_fetcher=SealedFetcher()).write_pdf()


def test_an_inline_image_is_read_from_its_own_bytes() -> None:
    assert SealedFetcher().fetch(PIXEL).read().startswith(b"\x89PNG")


@pytest.mark.parametrize("url", ["data:image/jpeg;base64,iVBORw0KGgo=", "data:image/png;base64,%%%", "relative.png"])
def test_what_is_no_image_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match="image"):
        SealedFetcher().fetch(url)
