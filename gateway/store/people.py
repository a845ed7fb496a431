"""People who sign in: who they are, what roles they have, and what they prove it with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.people import Person, Role
from gateway.store.tables import person, person_device, person_role, recovery_code


@dataclass(frozen=True)
class Credentials:
    """What a person signs in with: an Argon2 hash, and the sealed secret behind the codes."""

    person: Person
    password_hash: str | None = field(repr=False)
    totp_sealed: bytes | None = field(repr=False)


def add(connection: Connection, new: Person) -> None:
    """Raises Conflict when the name is taken, or the identity provider's subject."""
    row = {"id": new.id, "name": new.name, "party_id": new.party_id, "issuer": new.issuer, "subject": new.subject}
    try:
        connection.execute(insert(person).values(row | {"created_at": new.created_at}))
    except IntegrityError as exc:
        raise Conflict(f"there is a user {new.name} already") from exc
    _give_roles(connection, new.id, new.roles)


def listed(connection: Connection) -> list[Person]:
    """Everybody, by name."""
    roles: dict[str, set[Role]] = {}
    for row in connection.execute(select(person_role)):
        roles.setdefault(row.person_id, set()).add(Role(row.role))
    rows = connection.execute(select(person).order_by(person.c.name))
    return [_person(row, roles.get(row.id, set())) for row in rows]


def by_name(connection: Connection, name: str) -> Person:
    """Raises NotFound."""
    found = find(connection, name)
    if found is None:
        raise NotFound(f"no user {name!r}")
    return found.person


def find(connection: Connection, name: str) -> Credentials | None:
    """Whoever has that name."""
    return _found(connection, select(person).where(person.c.name == name))


def find_by_id(connection: Connection, person_id: str) -> Credentials | None:
    """Whoever has that id."""
    return _found(connection, select(person).where(person.c.id == person_id))


def find_by_subject(connection: Connection, issuer: str, subject: str) -> Credentials | None:
    """Whom that identity provider calls so (OpenID Connect Core 1.0, 5.7: both together, and nothing else)."""
    return _found(connection, select(person).where(person.c.issuer == issuer, person.c.subject == subject))


def find_by_enrolment(connection: Connection, code_sha256: str, now: datetime) -> Credentials | None:
    """Whom the enrolment code was given to, while it is good."""
    is_it = (person.c.enrolment_sha256 == code_sha256) & (person.c.enrolment_ends_at > now)
    return _found(connection, select(person).where(is_it))


def lock(connection: Connection, person_id: str) -> Credentials | None:
    """The same as `find_by_id`; others who change the person wait until the transaction ends."""
    return _found(connection, select(person).where(person.c.id == person_id).with_for_update())


def set_roles(connection: Connection, person_id: str, roles: Iterable[Role], *, party_id: str | None) -> None:
    """These roles and no other ones."""
    connection.execute(delete(person_role).where(person_role.c.person_id == person_id))
    _give_roles(connection, person_id, roles)
    _change(connection, person_id, party_id=party_id)


def set_disabled(connection: Connection, person_id: str, now: datetime | None) -> None:
    """From `now` on; None: no longer."""
    _change(connection, person_id, disabled_at=now)


def set_enrolment(connection: Connection, person_id: str, *, code_sha256: str, ends_at: datetime) -> None:
    """Nothing of before signs the person in any more; who has the code may choose anew."""
    _change(connection, person_id, password_hash=None, totp_sealed=None, totp_step=None)
    _change(connection, person_id, enrolment_sha256=code_sha256, enrolment_ends_at=ends_at)
    remove_recovery_codes(connection, person_id)


def set_enrolled(connection: Connection, person_id: str, *, password_hash: str, totp_sealed: bytes, step: int) -> None:
    """The person has chosen; the enrolment code is worth nothing any more."""
    _change(connection, person_id, password_hash=password_hash, totp_sealed=totp_sealed, totp_step=step)
    _change(connection, person_id, enrolment_sha256=None, enrolment_ends_at=None)


def set_password(connection: Connection, person_id: str, password_hash: str) -> None:
    """Only the hash is kept."""
    _change(connection, person_id, password_hash=password_hash)


def replace_password(connection: Connection, person_id: str, earlier: str | None, password_hash: str) -> None:
    """Unless the hash is another one than that earlier one by now."""
    is_it = (person.c.id == person_id) & (person.c.password_hash == earlier)
    connection.execute(update(person).where(is_it).values(password_hash=password_hash))


def use_step(connection: Connection, person_id: str, step: int) -> bool:
    """Whether no code of this step or a later one was used before; from now on one was (RFC 6238, 5.2)."""
    is_later = person.c.totp_step.is_(None) | (person.c.totp_step < step)
    used = update(person).where(person.c.id == person_id, is_later).values(totp_step=step)
    return connection.execute(used).rowcount == 1


def add_recovery_codes(connection: Connection, person_id: str, digests: Sequence[str]) -> None:
    """In place of all earlier ones."""
    remove_recovery_codes(connection, person_id)
    rows = [{"code_sha256": digest, "person_id": person_id} for digest in digests]
    connection.execute(insert(recovery_code), rows)


def remove_recovery_codes(connection: Connection, person_id: str) -> None:
    """None of them is good any more."""
    connection.execute(delete(recovery_code).where(recovery_code.c.person_id == person_id))


def use_recovery_code(connection: Connection, person_id: str, digest: str) -> bool:
    """Whether it was one of the person's; it is used up now."""
    is_it = (recovery_code.c.code_sha256 == digest) & (recovery_code.c.person_id == person_id)
    return connection.execute(delete(recovery_code).where(is_it)).rowcount == 1


def add_device(connection: Connection, person_id: str, token_sha256: str, *, now: datetime) -> None:
    """The person has signed in with the browser that keeps this secret."""
    row = {"token_sha256": token_sha256, "person_id": person_id, "created_at": now}
    connection.execute(insert(person_device).values(row))


def has_device(connection: Connection, person_id: str, token_sha256: str) -> bool:
    """Whether the person has signed in with it before."""
    is_it = (person_device.c.token_sha256 == token_sha256) & (person_device.c.person_id == person_id)
    return connection.execute(select(person_device.c.person_id).where(is_it)).scalar() is not None


def remove_devices(connection: Connection, *, person_id: str | None = None, before: datetime | None = None) -> None:
    """Those of one person, or those that are older."""
    is_it = person_device.c.person_id == person_id if person_id else person_device.c.created_at < before
    connection.execute(delete(person_device).where(is_it))


def _give_roles(connection: Connection, person_id: str, roles: Iterable[Role]) -> None:
    rows = [{"person_id": person_id, "role": role} for role in sorted(roles)]
    connection.execute(insert(person_role), rows)


def _change(connection: Connection, person_id: str, **values: Any) -> None:
    connection.execute(update(person).where(person.c.id == person_id).values(values))


def _found(connection: Connection, query: Select[Any]) -> Credentials | None:
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    of_person = select(person_role.c.role).where(person_role.c.person_id == row.id)
    roles = {Role(role) for role in connection.execute(of_person).scalars()}
    return Credentials(_person(row, roles), row.password_hash, row.totp_sealed)


def _person(row: Row[Any], roles: Iterable[Role]) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        roles=frozenset(roles),
        party_id=row.party_id,
        issuer=row.issuer,
        subject=row.subject,
        is_enrolled=row.password_hash is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
