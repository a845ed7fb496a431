"""What the audit trail says of a case or a patient, for privacy officers. Each look is audited itself."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Response, request

from gateway.domain.accounting_words import moment_in_words, purposes_in_words
from gateway.domain.audit_record import Accounting
from gateway.domain.errors import Invalid
from gateway.services.accounting import accounting_of_case, accounting_of_patient
from gateway.services.accounting_csv import as_csv
from gateway.services.listing import audit_lines
from gateway.services.looking import record_look
from gateway.services.patient_trail import patient_lines
from gateway.web.people.frame import Visit

_SHOWN = 500


@dataclass(frozen=True)
class _About:
    """Whom the page is asked for: a case or a patient, or nobody yet."""

    case_id: str
    patient_id: str

    @property
    def is_somebody(self) -> bool:
        return bool(self.case_id or self.patient_id)


_NOBODY = _About("", "")


def show(visit: Visit) -> Response:
    """The form alone. Raises Invalid where the address names somebody."""
    _require_bare_address()
    return visit.show("audit.html", about=_NOBODY, lines=[], most=_SHOWN)


def search(visit: Visit) -> Response:
    """The newest rows. Raises NotFound."""
    about, core = _about(visit), visit.desk.core
    lines: list[Any] = []
    if about.case_id:
        lines = [*audit_lines(core, about.case_id, limit=_SHOWN)]
        record_look(core, "audit.list", actor=visit.signed_in.person.actor, case_id=about.case_id)
    elif about.patient_id:
        lines = [*patient_lines(core, about.patient_id, limit=_SHOWN)]
        record_look(core, "audit.patient", actor=visit.signed_in.person.actor, patient_id=about.patient_id)
    return visit.show("audit.html", about=about, lines=lines, most=_SHOWN)


def show_disclosures(visit: Visit) -> Response:
    """The form alone. Raises Invalid where the address names somebody."""
    _require_bare_address()
    return visit.show("disclosures.html", about=_NOBODY, accounting=None)


def search_disclosures(visit: Visit) -> Response:
    """What left, to whom, why and on which consents (45 CFR 164.528). Raises NotFound."""
    about = _about(visit)
    found = _accounting(visit, about) if about.is_somebody else None
    moment = partial(moment_in_words, time_zone=found.time_zone) if found else None
    return visit.show("disclosures.html", about=about, accounting=found, moment=moment, purposes=purposes_in_words)


def give_disclosures(visit: Visit) -> Response:
    """The same as a file for a spreadsheet. Raises NotFound, and Invalid where nobody is asked for."""
    about = _about(visit)
    if not about.is_somebody:
        raise Invalid("name a case or a patient")
    answer = Response(as_csv(_accounting(visit, about)), content_type="text/csv; charset=utf-8; header=present")
    answer.headers["Content-Disposition"] = 'attachment; filename="disclosures.csv"'
    return answer


def _require_bare_address() -> None:
    """Whom somebody asks for may be typed as a name: no address has it, which proxies log and browsers remember."""
    if request.args:
        raise Invalid("whom you ask for stands in the form of this page and not in the address; type it there")


def _about(visit: Visit) -> _About:
    about = _About(visit.text("case").strip(), visit.text("patient").strip())
    if about.case_id and about.patient_id:
        raise Invalid("name a case or a patient, not both")
    return about


def _accounting(visit: Visit, about: _About) -> Accounting:
    core = visit.desk.core
    if about.case_id:
        found = accounting_of_case(core, about.case_id, since=None)
    else:
        found = accounting_of_patient(core, about.patient_id, since=None)
    record_look(
        core,
        "audit.disclosures",
        actor=visit.signed_in.person.actor,
        case_id=about.case_id or None,
        patient_id=found.patient_id,
    )
    return found
