"""The catalogue: studies and instances as they arrived, and what waits in quarantine."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.ids import new_id
from gateway.domain.record import Instance, Study
from gateway.domain.study import InstanceState, StudyState
from gateway.store.tables import instance, quarantine, study
from gateway.store.turns import take_turn

_INSTANCE_FIELDS = tuple(instance.c[name] for name in Instance.__dataclass_fields__)

# Run for every received object: built once, since building a statement costs more than running it.
_TOUCH = (
    update(study)
    .where(study.c.clinic_id == bindparam("of_clinic"), study.c.study_instance_uid == bindparam("uid"))
    .values(last_received_at=bindparam("now"))
    .returning(*study.c)
)
_SAME_SOP_INSTANCE = (
    select(*_INSTANCE_FIELDS)
    .where(instance.c.clinic_id == bindparam("of_clinic"), instance.c.sop_instance_uid == bindparam("uid"))
    .order_by(instance.c.id)
)
_ADD_INSTANCE = insert(instance)
_UIDS_OF_CASE = (
    select(study.c.study_instance_uid)
    .where(study.c.case_id == bindparam("of_case"))
    .order_by(study.c.first_received_at)
)


def touched(connection: Connection, clinic_id: str, study_instance_uid: str, now: datetime) -> Study | None:
    """The clinic's study of that UID, of which something arrived just now; its row locked for the transaction."""
    named = {"of_clinic": clinic_id, "uid": study_instance_uid, "now": now}
    row = connection.execute(_TOUCH, named).one_or_none()
    return None if row is None else _study(row)


def by_id(connection: Connection, study_id: str) -> Study:
    """Raises NotFound."""
    row = connection.execute(select(study).where(study.c.id == study_id)).one_or_none()
    if row is None:
        raise NotFound(f"no study {study_id}")
    return _study(row)


def begun(connection: Connection, values: Mapping[str, Any]) -> Study:
    """The study of these values, its row locked: begun in state `receiving`, unless another transaction was first.

    Raises Conflict when another study has its pseudonymous accession number.
    """
    row = {"id": new_id(), "state": StudyState.RECEIVING} | dict(values)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(study).values(row).on_conflict_do_nothing())
    found = touched(connection, row["clinic_id"], row["study_instance_uid"], row["last_received_at"])
    if found is None:
        raise Conflict("another study has the accession number under which this one would leave")
    return found


def change(connection: Connection, study_id: str, **values: object) -> None:
    """Set columns of one study."""
    connection.execute(update(study).where(study.c.id == study_id).values(**values))


def listed(
    connection: Connection,
    *,
    case_id: str | None = None,
    clinic_id: str | None = None,
    state: StudyState | None = None,
    newest: int | None = None,
) -> list[Study]:
    """Oldest first; with `newest` only so many, newest first."""
    query = select(study).order_by(study.c.first_received_at)
    if newest is not None:
        query = select(study).order_by(study.c.first_received_at.desc(), study.c.id).limit(newest)
    for column, value in ((study.c.case_id, case_id), (study.c.clinic_id, clinic_id), (study.c.state, state)):
        query = query if value is None else query.where(column == value)
    return [_study(row) for row in connection.execute(query)]


def count(connection: Connection, *, clinic_id: str, state: StudyState) -> int:
    """How many studies of the clinic are in that state."""
    is_it = (study.c.clinic_id == clinic_id) & (study.c.state == state)
    return connection.execute(select(func.count()).select_from(study).where(is_it)).scalar_one()


def uids_of_case(connection: Connection, case_id: str) -> list[str]:
    """The original StudyInstanceUIDs of the case's studies, oldest first."""
    return list(connection.execute(_UIDS_OF_CASE, {"of_case": case_id}).scalars())


def lock_sop_instance(connection: Connection, clinic_id: str, sop_instance_uid: str) -> None:
    """One arrival of the clinic's object at a time, until the transaction ends; also one that is not there yet."""
    take_turn(connection, f"instance {clinic_id} {sop_instance_uid}")


def lock_sop_instance_of(connection: Connection, instance_id: int) -> None:
    """The same for what came under the SOP Instance UID of this instance."""
    lock_sop_instance(connection, *_shared_uid(connection, instance_id))


def add_instance(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert one instance; gives its id."""
    inserted = connection.execute(_ADD_INSTANCE, dict(values)).inserted_primary_key
    return int(inserted[0]) if inserted else 0


def instances(connection: Connection, study_id: str, *, state: InstanceState | None = None) -> list[Instance]:
    """In series and instance order."""
    order = (instance.c.series_number, instance.c.series_instance_uid, instance.c.instance_number, instance.c.id)
    query = select(*_INSTANCE_FIELDS).where(instance.c.study_id == study_id).order_by(*order)
    query = query if state is None else query.where(instance.c.state == state)
    return [_instance(row) for row in connection.execute(query)]


def instance_counts(connection: Connection, study_ids: Collection[str]) -> dict[str, int]:
    """Study id -> how many objects of it arrived; a study without any is not in it."""
    query = select(instance.c.study_id, func.count().label("instances")).where(instance.c.study_id.in_(study_ids))
    return {row.study_id: row.instances for row in connection.execute(query.group_by(instance.c.study_id))}


def same_sop_instance(connection: Connection, clinic_id: str, sop_instance_uid: str) -> list[Instance]:
    """Everything the clinic has sent under that SOP Instance UID."""
    rows = connection.execute(_SAME_SOP_INSTANCE, {"of_clinic": clinic_id, "uid": sop_instance_uid})
    return [_instance(row) for row in rows]


def reject_instances(connection: Connection, study_id: str) -> None:
    """Nothing that the study holds now is used."""
    rejected = update(instance).where(instance.c.study_id == study_id).values(state=InstanceState.REJECTED)
    connection.execute(rejected)


def sharing_uid(connection: Connection, instance_id: int) -> list[Instance]:
    """The instance and every other one that the same clinic sent under its SOP Instance UID."""
    return same_sop_instance(connection, *_shared_uid(connection, instance_id))


def went_with_its_study(connection: Connection, instance_id: int) -> bool:
    """True for a rejected instance whose study was rejected after it came, and may have begun anew since then."""
    is_of_before = (study.c.state == StudyState.REJECTED) | (instance.c.received_at < study.c.first_received_at)
    is_rejected = (instance.c.id == instance_id) & (instance.c.state == InstanceState.REJECTED)
    query = select(instance.c.id).join(study, study.c.id == instance.c.study_id).where(is_rejected & is_of_before)
    return connection.execute(query).scalar() is not None


def take_up_again(connection: Connection, instance_id: int, state: InstanceState, now: datetime) -> None:
    """The very bytes of a rejected instance came again."""
    again = {"state": state, "received_at": now}
    connection.execute(update(instance).where(instance.c.id == instance_id).values(again))


def set_instance_state(connection: Connection, instance_id: int, state: InstanceState) -> None:
    """Set the state of one instance."""
    connection.execute(update(instance).where(instance.c.id == instance_id).values(state=state))


@dataclass(frozen=True)
class Quarantined:
    """One thing that waits for a person; `details` may hold patient data and is shown to nobody else."""

    id: str
    kind: str
    case_id: str | None
    study_id: str | None
    instance_id: int | None
    reason: str
    details: dict[str, Any]
    created_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    resolved_by: str | None


@dataclass(frozen=True)
class Place:
    """What something in quarantine belongs to, as far as that is known."""

    case_id: str | None
    study_id: str | None
    instance_id: int | None


def put_in_quarantine(
    connection: Connection,
    kind: str,
    reason: str,
    where: Place,
    *,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> str:
    """One row a reason; gives its id. `kind` is identity, instance or deidentification."""
    row_id = new_id()
    row: dict[str, object] = {"id": row_id, "kind": kind, "reason": reason, "created_at": now}
    connection.execute(insert(quarantine).values(row | asdict(where) | {"details": dict(details or {})}))
    return row_id


def quarantined_by_id(connection: Connection, quarantine_id: str) -> Quarantined:
    """Raises NotFound."""
    return _quarantined(connection, select(quarantine).where(quarantine.c.id == quarantine_id), quarantine_id)


def lock_quarantined(connection: Connection, quarantine_id: str) -> Quarantined:
    """The same, its row locked until the transaction ends. Raises NotFound."""
    query = select(quarantine).where(quarantine.c.id == quarantine_id)
    return _quarantined(connection, query.with_for_update(key_share=True), quarantine_id)


def quarantined(
    connection: Connection,
    *,
    study_id: str | None = None,
    case_id: str | None = None,
    is_open: bool = True,
    limit: int | None = None,
) -> list[Quarantined]:
    """Oldest first; only what still waits unless `is_open` is False."""
    query = select(quarantine).order_by(quarantine.c.created_at, quarantine.c.id).limit(limit)
    if is_open:
        query = query.where(quarantine.c.resolved_at.is_(None))
    for column, value in ((quarantine.c.study_id, study_id), (quarantine.c.case_id, case_id)):
        query = query if value is None else query.where(column == value)
    return [Quarantined(**row._mapping) for row in connection.execute(query)]


def resolve(connection: Connection, quarantine_id: str, *, resolution: str, by: str, now: datetime) -> None:
    """A person decided."""
    resolved = {"resolved_at": now, "resolution": resolution, "resolved_by": by}
    connection.execute(update(quarantine).where(quarantine.c.id == quarantine_id).values(resolved))


def _quarantined(connection: Connection, query: Select[Any], quarantine_id: str) -> Quarantined:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"nothing in quarantine under {quarantine_id}")
    return Quarantined(**row._mapping)


def _shared_uid(connection: Connection, instance_id: int) -> tuple[str, str]:
    """The clinic and the SOP Instance UID of one instance."""
    query = select(instance.c.clinic_id, instance.c.sop_instance_uid).where(instance.c.id == instance_id)
    clinic_id, uid = connection.execute(query).one()
    return clinic_id, uid


def _study(row: Row[Any]) -> Study:
    values = dict(row._mapping)
    return Study(**values | {"state": StudyState(row.state), "patient_names": tuple(row.patient_names)})


def _instance(row: Row[Any]) -> Instance:
    return Instance(**dict(row._mapping) | {"state": InstanceState(row.state)})
