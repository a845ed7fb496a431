"""A report on its way to an EHR double."""

from typing import Any

from gateway.domain.delivery import Receipt
from tests.unit.workers.ehr.double import (
    ADDRESS,
    PATIENT_IDENTIFIER,
    PDF,
    REPORT_IDENTIFIER,
    EhrDouble,
    report,
)
from workers.ehr.report import deliver_report

SEARCHING = ("create", "read", "search-type")


def deliver(ehr: EhrDouble, *, status: str = "final", pdf: bytes = PDF, **more: Any) -> Receipt:
    options = {"before_send": lambda: None, "wiring": ehr.wiring, **more}
    return deliver_report(
        ADDRESS,
        lambda subject: report(subject, status=status, pdf=pdf),
        identifier=REPORT_IDENTIFIER,
        patient_identifiers=[PATIENT_IDENTIFIER],
        resource_id="ours-1",
        **options,
    )
