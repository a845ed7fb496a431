"""That somebody may consent for a patient, as people recorded it: bound to a consent and to whom it names."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.domain.consent import AuthorityEnd
from gateway.domain.errors import NotFound
from gateway.store.tables import consent_authority

_OF_CONSENTS = (
    select(consent_authority)
    .where(consent_authority.c.consent_id.in_(bindparam("consents", expanding=True)))
    .order_by(consent_authority.c.recorded_at, consent_authority.c.id)
)


@dataclass(frozen=True)
class Authority:
    """A person has checked that those whom the consent names (a digest of them) may give it, and on what basis."""

    id: str
    consent_id: str
    performers_sha256: str
    basis: str
    valid_until: datetime | None
    recorded_by: str
    recorded_at: datetime
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None

    @property
    def ends_at(self) -> datetime | None:
        """The first instant at which it no longer holds; None: never."""
        return min((one for one in (self.valid_until, self.withdrawn_at) if one is not None), default=None)

    def holds(self, now: datetime) -> bool:
        """Whether it stands at that moment."""
        return self.ended(now) is None

    def ended(self, now: datetime) -> AuthorityEnd | None:
        """How it came to an end; None while it holds."""
        if self.ends_at is None or now < self.ends_at:
            return None
        return AuthorityEnd(self.ends_at, is_withdrawn=self.ends_at == self.withdrawn_at)


def add(connection: Connection, new: Authority) -> None:
    """Insert one."""
    connection.execute(insert(consent_authority).values(asdict(new)))


def withdraw(connection: Connection, authority_id: str, *, by: str, now: datetime) -> None:
    """From `now` on it proves nothing."""
    is_it = consent_authority.c.id == authority_id
    connection.execute(update(consent_authority).where(is_it).values(withdrawn_by=by, withdrawn_at=now))


def of_consents(connection: Connection, consent_ids: Collection[str]) -> list[Authority]:
    """Every one of these consents, oldest first, also those that no longer hold."""
    rows = connection.execute(_OF_CONSENTS, {"consents": sorted(consent_ids)})
    return [_authority(row) for row in rows]


def by_id(connection: Connection, authority_id: str) -> Authority:
    """Raises NotFound."""
    row = connection.execute(select(consent_authority).where(consent_authority.c.id == authority_id)).one_or_none()
    if row is None:
        raise NotFound(f"no recorded authority {authority_id}")
    return _authority(row)


def _authority(row: Row[Any]) -> Authority:
    return Authority(**row._mapping)
