"""Report versions and their rendition."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from gateway.domain.errors import NotFound
from gateway.domain.record import ReportVersion
from gateway.store.tables import case, delivery, report

_BY_ID = select(report).where(report.c.id == bindparam("of_report"))


def add(connection: Connection, new: ReportVersion) -> None:
    """Insert one version."""
    connection.execute(insert(report).values(asdict(new)))


def by_id(connection: Connection, report_id: str) -> ReportVersion:
    """Raises NotFound."""
    row = connection.execute(_BY_ID, {"of_report": report_id}).one_or_none()
    if row is None:
        raise NotFound(f"no report {report_id}")
    return ReportVersion(**row._mapping)


def listed(connection: Connection, case_id: str) -> list[ReportVersion]:
    """Of one case, oldest first."""
    query = select(report).where(report.c.case_id == case_id).order_by(report.c.created_at, report.c.version)
    return [ReportVersion(**row._mapping) for row in connection.execute(query)]


def without_delivery(
    connection: Connection, *, case_id: str | None = None, clinic_id: str | None = None
) -> list[ReportVersion]:
    """Of one case, or of all of a clinic's: versions for which no delivery was ever opened, oldest first."""
    is_sent = exists().where(delivery.c.subject_id == report.c.id)
    query = select(report).where(~is_sent).order_by(report.c.created_at, report.c.version)
    if case_id is not None:
        query = query.where(report.c.case_id == case_id)
    if clinic_id is not None:
        query = query.where(report.c.case_id.in_(select(case.c.id).where(case.c.clinic_id == clinic_id)))
    return [ReportVersion(**row._mapping) for row in connection.execute(query)]


def set_rendition(connection: Connection, report_id: str, *, pdf: str, html: str, now: datetime) -> None:
    """The blobs of the PDF and the HTML; what was rendered first stays."""
    rendered = {"pdf_sha256": pdf, "html_sha256": html, "rendered_at": now}
    is_first = (report.c.id == report_id) & report.c.rendered_at.is_(None)
    connection.execute(update(report).where(is_first).values(rendered))
