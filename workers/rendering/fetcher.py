"""The walls of the renderer: nothing outside the document is ever read."""

import base64
import binascii
import io
import re

from PIL import Image
from weasyprint.urls import URLFetcher, URLFetcherResponse

_INLINE_IMAGE = re.compile(r"data:(image/(?P<format>png|jpeg|gif));base64,(?P<data>.+)", re.DOTALL)
_MOST_PIXELS = 40_000_000


class SealedFetcher(URLFetcher):  # type: ignore[misc]  # WeasyPrint ships no types
    """Answers inline PNG, JPEG and GIF images from their own bytes, and refuses every other address.

    A refusal stops the rendering: a report never comes out with a piece of it missing.
    """

    def __init__(self) -> None:
        super().__init__(allowed_protocols=("data",), allow_redirects=False, fail_on_errors=True)

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        """The bytes of an inline image. Raises ValueError for anything else; no message quotes the address."""
        match = _INLINE_IMAGE.fullmatch(url)
        if match is None:
            raise ValueError("only inline raster images are rendered")
        try:
            data = base64.b64decode("".join(match["data"].split()), validate=True)
        except binascii.Error:
            raise ValueError("the inline image is not base64") from None
        _check_image(data, match["format"])
        return URLFetcherResponse(url, data, {"Content-Type": match[1]})


def _check_image(data: bytes, name: str) -> None:
    """WeasyPrint leaves a broken image out with a line in the log; here it is an error."""
    try:
        with Image.open(io.BytesIO(data), formats=[name.upper()]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError("the inline image is too large")
            image.verify()
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("the inline image cannot be read") from None
