"""An accounting of disclosures as PDF/A-3u, to be given to a patient."""

import warnings
from functools import partial
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from weasyprint import HTML

from gateway.domain.accounting_words import moment_in_words, purposes_in_words
from gateway.domain.audit_record import Accounting
from gateway.domain.report import Institution
from workers.rendering.fetcher import SealedFetcher

_VARIANT = "pdf/a-3u"


def render_accounting(accounting: Accounting, *, institution: Institution) -> bytes:
    """One table; the patient by id alone, so that whoever hands it over says who that is."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["moment"] = partial(moment_in_words, time_zone=accounting.time_zone)
    environment.filters["purposes"] = purposes_in_words
    source = files("workers.rendering").joinpath("accounting.html").read_text(encoding="utf-8")
    page = environment.from_string(source).render(accounting=accounting, institution=institution)
    # WeasyPrint 70 opens its colour profile and leaves closing it to the garbage collector.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        return bytes(HTML(string=page, url_fetcher=SealedFetcher()).write_pdf(pdf_variant=_VARIANT, pdf_tags=True))
