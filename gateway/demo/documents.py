"""The demo's papers as PDF: the pathology report, and what a coordinator makes of it before it may leave."""

from datetime import date
from html import escape

import weasyprint

from gateway.demo.resources import CaseData

_STYLE = "body{font:11pt 'Noto Sans',sans-serif} h1{font-size:16pt} td{padding:2pt 12pt 2pt 0}"
_FINDINGS = """<h2>Materyal / Specimen</h2>
<p>Dil sol kenar, insizyonel biyopsi. Left lateral tongue, incisional biopsy.</p>
<h2>Tanı / Diagnosis</h2><p>İyi diferansiye skuamöz hücreli karsinom, p16 negatif, invazyon derinliği 4 mm.
Well differentiated squamous cell carcinoma, p16 negative, depth of invasion 4 mm.</p>"""


def pathology_report(case: CaseData) -> bytes:
    """The report as the clinic has it: the patient's name, birth date and record number on top."""
    rows = {
        "Hasta / Patient": f"{case.given} {case.family}",
        "Doğum tarihi / Born": f"{case.birth_date:%d.%m.%Y}",
        "Dosya no. / Record": case.record_number,
        "Rapor tarihi / Reported": f"{case.paper_date:%d.%m.%Y}",
    }
    return _pdf("Patoloji raporu / Pathology report", rows, case.paper_date)


def redacted_pathology_report(case: CaseData) -> bytes:
    """The same findings with nobody's name: made anew, because a black bar leaves the text below it in the file."""
    return _pdf("Pathology report (redacted)", {"Patient": "withheld"}, case.paper_date)


def _pdf(title: str, rows: dict[str, str], on: date) -> bytes:
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows.items())
    page = f"""<html lang="tr"><head><title>{escape(title)}</title>
        <meta name="dcterms.created" content="{on.isoformat()}"><style>{_STYLE}</style></head>
        <body><h1>{escape(title)}</h1><table>{cells}</table>{_FINDINGS}</body></html>"""
    return bytes(weasyprint.HTML(string=page).write_pdf())
