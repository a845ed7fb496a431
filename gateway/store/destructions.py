"""What a case has in blobs, how it is let go, and the records of it. A blob without a row goes with the next sweep."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from gateway.domain.destruction import Destruction, Thing, ThingKind
from gateway.domain.ids import new_id
from gateway.store.tables import delivery, delivery_item, destruction, document, instance, quarantine, report, study

_NO_BLOB = ""


def has_begun(connection: Connection, case_id: str) -> bool:
    """True once anything of the case was destroyed."""
    query = select(destruction.c.id).where(destruction.c.case_id == case_id).limit(1)
    return connection.execute(query).scalar() is not None


def is_any(connection: Connection) -> bool:
    """True once anything at all was destroyed."""
    return connection.execute(select(destruction.c.id).limit(1)).scalar() is not None


def listed(connection: Connection, *, case_id: str | None = None, limit: int | None = None) -> list[Destruction]:
    """Newest first."""
    query = select(destruction).order_by(destruction.c.at.desc(), destruction.c.kind, destruction.c.id).limit(limit)
    query = query if case_id is None else query.where(destruction.c.case_id == case_id)
    return [Destruction(**row._mapping) for row in connection.execute(query)]


def total(connection: Connection, case_id: str) -> tuple[int, int]:
    """How many things of the case were destroyed, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(destruction.c.size_bytes), 0))
    things, size_bytes = connection.execute(query.where(destruction.c.case_id == case_id)).one()
    return int(things), int(size_bytes)


def record(connection: Connection, case_id: str, things: Iterable[Thing], *, reason: str, now: datetime) -> None:
    """One row a thing, in the transaction that destroys it."""
    rows = [
        asdict(Destruction(new_id(), now, case_id, one.kind, one.subject_id, one.sha256, one.size_bytes or 0, reason))
        for one in things
    ]
    if rows:
        connection.execute(insert(destruction), rows)


def blobs_of(connection: Connection, case_id: str, *, limit: int) -> list[Thing]:
    """Up to `limit` rows of one table that refer to blobs of the case; none when there are none left."""
    for table in _TABLES:
        if found := list(table.find(connection.execute(table.of_case(case_id).limit(limit)))):
            return found
    return []


def let_go(connection: Connection, things: Sequence[Thing]) -> None:
    """Their rows refer to no blob any more; a row that only told of the patient is deleted."""
    for table in _TABLES:
        ids = sorted({one.subject_id for one in things if one.kind in table.kinds})
        if ids:
            table.let_go(connection, ids)


@dataclass(frozen=True)
class _Table:
    """One table with blobs: its kinds of things, its rows of a case, what they refer to, and how they are let go."""

    kinds: tuple[ThingKind, ...]
    of_case: Callable[[str], Select[Any]]
    find: Callable[[Iterable[Any]], Iterable[Thing]]
    let_go: Callable[[Connection, list[str]], None]


def _images_of(case_id: str) -> Select[Any]:
    of_case = select(study.c.id).where(study.c.case_id == case_id)
    return select(instance).where(instance.c.study_id.in_(of_case)).order_by(instance.c.id)


def _images(rows: Iterable[Any]) -> Iterable[Thing]:
    return (Thing(ThingKind.IMAGE, str(row.id), row.blob_sha256, row.size_bytes) for row in rows)


def _let_images_go(connection: Connection, ids: list[str]) -> None:
    numbers = [int(one) for one in ids]
    connection.execute(update(quarantine).where(quarantine.c.instance_id.in_(numbers)).values(instance_id=None))
    connection.execute(delete(instance).where(instance.c.id.in_(numbers)))


def _payloads_of(case_id: str) -> Select[Any]:
    query = select(delivery_item).join(delivery, delivery.c.id == delivery_item.c.delivery_id)
    query = query.where(delivery.c.case_id == case_id, delivery_item.c.blob_sha256 != _NO_BLOB)
    return query.order_by(delivery_item.c.delivery_id, delivery_item.c.position)


def _payloads(rows: Iterable[Any]) -> Iterable[Thing]:
    return (Thing(ThingKind.PAYLOAD, f"{row.delivery_id}/{row.position}", row.blob_sha256) for row in rows)


def _let_payloads_go(connection: Connection, ids: list[str]) -> None:
    """The row stays: it says what the destination answered."""
    is_it = (delivery_item.c.delivery_id == bindparam("of_delivery")) & (delivery_item.c.position == bindparam("at"))
    parts = [one.rpartition("/") for one in ids]
    values = [{"of_delivery": delivery_id, "at": int(position)} for delivery_id, _, position in parts]
    connection.execute(update(delivery_item).where(is_it).values(blob_sha256=_NO_BLOB), values)


def _documents_of(case_id: str) -> Select[Any]:
    of_case = select(document).where(document.c.case_id == case_id, document.c.original_sha256 != _NO_BLOB)
    return of_case.order_by(document.c.id)


def _documents(rows: Iterable[Any]) -> Iterable[Thing]:
    for row in rows:
        yield Thing(ThingKind.DOCUMENT, row.id, row.original_sha256)
        if row.cleared_sha256 not in (None, row.original_sha256):
            yield Thing(ThingKind.CLEARED_DOCUMENT, row.id, row.cleared_sha256)


def _let_documents_go(connection: Connection, ids: list[str]) -> None:
    """The row stays: a consent that comes later is decided on by what left, of which it knows kind and day."""
    gone = {"title": "", "original_sha256": _NO_BLOB, "cleared_sha256": None}
    connection.execute(update(document).where(document.c.id.in_(ids)).values(gone))


def _renditions_of(case_id: str) -> Select[Any]:
    query = select(report).where(report.c.case_id == case_id, report.c.pdf_sha256.is_not(None))
    return query.order_by(report.c.id)


def _renditions(rows: Iterable[Any]) -> Iterable[Thing]:
    for row in rows:
        yield Thing(ThingKind.RENDITION_PDF, row.id, row.pdf_sha256)
        yield Thing(ThingKind.RENDITION_HTML, row.id, row.html_sha256)


def _let_renditions_go(connection: Connection, ids: list[str]) -> None:
    connection.execute(update(report).where(report.c.id.in_(ids)).values(pdf_sha256=None, html_sha256=None))


_TABLES = (
    _Table((ThingKind.IMAGE,), _images_of, _images, _let_images_go),
    _Table((ThingKind.PAYLOAD,), _payloads_of, _payloads, _let_payloads_go),
    _Table((ThingKind.DOCUMENT, ThingKind.CLEARED_DOCUMENT), _documents_of, _documents, _let_documents_go),
    _Table((ThingKind.RENDITION_PDF, ThingKind.RENDITION_HTML), _renditions_of, _renditions, _let_renditions_go),
)
