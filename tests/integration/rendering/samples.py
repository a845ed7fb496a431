"""A report with everything a reviewer may write, and whose it is."""

from datetime import date, datetime, timedelta, timezone

from gateway.domain.report import SECTION_TITLES, Institution, Report, ReportSubject, Section

XHTML = "http://www.w3.org/1999/xhtml"
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

PATIENT = ReportSubject(name="Ayşe Gülşen ÖZTÜRK-İĞDIR", record_number="MRN-004711", birth_date=date(1961, 4, 23))
PSEUDONYM = ReportSubject(name="CS-7F3K9Q", record_number="CS-7F3K9Q", birth_date=None)
INSTITUTION = Institution(
    name="Consilium Centre for Head and Neck Oncology",
    contact="second.opinion@consilium.example\n+90 000 000 00 00",
    invitation="You may discuss this report with its author for 30 minutes by video, with an interpreter if you wish.",
)

_PLANS = """
<h2>Options side by side</h2>
<table border="1"><caption>Expected outcome of the two plans</caption>
<thead><tr><th scope="col">Plan</th><th scope="col" align="right">Survival, 5 years</th><th scope="col">Voice</th></tr></thead>
<tbody><tr><td>Total laryngectomy</td><td align="right">62 %</td><td>Lost; prosthesis possible</td></tr>
<tr><td>Chemoradiation, 70 Gy in 35 fractions</td><td align="right">58 %</td><td>Kept in most</td></tr></tbody></table>
"""
_LANGUAGES = f"""
<p lang="ar" dir="rtl" xml:lang="ar">يوصى بالحفاظ على الحنجرة مع المتابعة الدقيقة.</p>
<p lang="ru">Рекомендуется органосохраняющее лечение.</p>
<p lang="tr">Hastanın tercihi: ses korunsun, gırtlağın alınması son çare olsun.</p>
<p>Stamp: <img src="{PIXEL}" alt="stamp" width="12"/></p>
"""
_TEXT = (
    "The biopsy and the contrast CT agree on a glottic squamous cell carcinoma with a mobile left vocal fold. "
    "We reviewed every series that was sent, together with the pathology report, and describe below what they show, "
    "what remains open, and which examination would settle it before a decision is taken. "
)


def narrative(body: str) -> str:
    return f'<div xmlns="{XHTML}">{body}</div>'


def report(**sections: str) -> Report:
    """A report of several pages; a keyword (with _ for -) replaces the narrative of that section."""
    bodies = {code: narrative(f"<p>{_TEXT}</p><p>{_TEXT * 2}</p>") for code in SECTION_TITLES}
    bodies["treatment-comparison"] = narrative(_PLANS + f"<p>{_TEXT}</p>")
    bodies["special-considerations"] = narrative(_LANGUAGES)
    bodies["references"] = narrative("<ol><li>NCCN Head and Neck Cancers.</li><li>PMID 12345678.</li></ol>")
    bodies |= {code.replace("_", "-"): html for code, html in sections.items()}
    return Report(
        id="7b1d8f0e-7d43-4a0e-9a36-02a1f0c0d2aa",
        version=2,
        status="amended",
        pseudonym=PSEUDONYM.name,
        author="Prof. Dr. Deniz Yıldırım",
        specialty="Head and neck surgery",
        signed_at=datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=3))),
        conclusion="The diagnosis is confirmed. Organ preservation should be offered before surgery.",
        sections=tuple(Section(code, title, bodies[code]) for code, title in SECTION_TITLES.items()),
    )
