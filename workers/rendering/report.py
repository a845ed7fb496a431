"""A report made readable: cover, eight sections, closing; the patient's identity or pseudonym on every page.

The PDF is PDF/A-3u (ISO 19005-3): fonts embedded, text extractable. The same input gives the same bytes, as long as
WeasyPrint, Pango and the fonts are the same; what was rendered once is stored and never rendered again.
"""

import hashlib
import logging
import threading
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from weasyprint import HTML
from weasyprint.urls import FatalURLFetchingError

from gateway.domain.errors import Invalid
from gateway.domain.report import SECTION_TITLES, Institution, Rendition, Report, ReportSubject
from workers.rendering.fetcher import SealedFetcher
from workers.rendering.narrative import to_html

_RIGHT_TO_LEFT = frozenset(("ar", "fa", "he", "ur"))
_VARIANT = "pdf/a-3u"
logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
"""Its warnings quote styles and addresses of what a reviewer wrote; what matters to a report is raised instead."""

_one_at_a_time = threading.Lock()
"""Pango's font maps are not promised to be safe across threads, and the embedded dispatcher runs tasks in threads."""


@dataclass(frozen=True)
class _Part:
    code: str
    title: str
    html: Markup


def render_report(
    report: Report, subject: ReportSubject, *, fixed_identifier: bytes | str, institution: Institution
) -> Rendition:
    """HTML and PDF of one version of a report, of one and the same template.

    `subject` stands in the running header of every page: the patient, or the pseudonym and nothing else.
    The PDF's file identifier (ISO 32000-1 14.4) is the first half of the SHA-256 of `fixed_identifier`, in hex.

    Raises:
        Invalid: not the eight sections in order, or a narrative that is not of the strict subset or has an image
            that cannot be read.
    """
    if tuple(section.code for section in report.sections) != tuple(SECTION_TITLES):
        raise Invalid("a report has its eight sections in order", at="Composition.section")
    page = _template().render(
        report=report,
        subject=subject,
        institution=institution,
        sections=[_part(section.code, section.title, section.html) for section in report.sections],
        language=report.language,
        direction="rtl" if report.language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr",
        signed_at=report.signed_at.isoformat(timespec="seconds"),
        signed_at_text=_readable(report.signed_at),
        stylesheet=Markup(_resource("report.css")),  # noqa: S704 - ours
    )
    identifier = fixed_identifier.encode() if isinstance(fixed_identifier, str) else fixed_identifier
    return Rendition(html=page.encode(), pdf=_pdf(page, hashlib.sha256(identifier).hexdigest()[:32].encode()))


def _readable(moment: datetime) -> str:
    offset = f"{moment:%z}"
    return f"{moment:%Y-%m-%d, %H:%M} (UTC{offset[:3]}:{offset[3:5]})"


def _part(code: str, title: str, narrative: str) -> _Part:
    # to_html serialises a checked tree, so its text is safe to stand in the page as it is.
    return _Part(code, title, Markup(to_html(narrative, id_prefix=f"{code}-")))  # noqa: S704 - see above


def _pdf(page: str, identifier: bytes) -> bytes:
    # WeasyPrint 70 opens its colour profile and leaves closing it to the garbage collector.
    with _one_at_a_time, warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            pdf = HTML(string=page, url_fetcher=SealedFetcher(), media_type="print").write_pdf(
                pdf_variant=_VARIANT, pdf_identifier=identifier, pdf_tags=True
            )
        except FatalURLFetchingError:
            # The library's message quotes the address, which may be a whole image.
            raise Invalid("the report has an image that is not inline or cannot be read", at="text.div") from None
    return bytes(pdf)


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_resource("report.html"))


def _resource(name: str) -> str:
    return files("workers.rendering").joinpath(name).read_text(encoding="utf-8")
