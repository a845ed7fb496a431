"""Signed and rendered reports that wait for nothing but their sending, put there by the gateway's own services."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, func, select, update

from fhir_mappings.bundle import read_transaction
from gateway.demo import resources
from gateway.domain.caller import Caller
from gateway.domain.delivery import Flow
from gateway.domain.party import Endpoint, EndpointRole, FhirAddress, Identifier, Party, PartyKind
from gateway.domain.report import Rendition, Report, ReportSubject
from gateway.domain.work import Job, JobKind, JobState
from gateway.services import rendering
from gateway.services.core import Core
from gateway.services.effects import before_storing, effects
from gateway.services.resource_transaction import Stored
from gateway.services.resources import Intake, store
from gateway.services.work import run_job
from gateway.store import cases, parties
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from gateway.store.tables import outbox
from tests.core import core_over
from tests.peers.generated import AYSE

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 160
"""As large as a short report comes out of the renderer: 40 kB."""

_HELD_FOR = timedelta(days=1)
_SENDINGS = (outbox.c.kind == JobKind.DELIVERY_SEND) & (outbox.c.state == JobState.PENDING)


class Seed:
    """Clinics, each with its EHRs, and one reviewer who has signed their reports; the sendings are due tomorrow."""

    def __init__(self, database: Database, data_folder: Path) -> None:
        self.database = database
        upgrade(database)
        self._core = core_over(database, data_folder, lambda: datetime.now(UTC))
        self._reviewer = self._party(PartyKind.REVIEWER, "reviewer")
        self._clinics: list[Party] = []
        self._signed = 0

    def add_clinic(self, *urls: str) -> list[str]:
        """One more clinic with an EHR at each of these base URLs; gives the ids of these endpoints."""
        clinic = self._party(PartyKind.CLINIC, f"clinic-{len(self._clinics)}")
        self._clinics.append(clinic)
        names = [f"{clinic.name}-{number}" for number in range(len(urls))]
        with self.database.write("benchmark") as connection:
            for name, url in zip(names, urls, strict=True):
                endpoint = Endpoint(name, name, clinic.id, EndpointRole.EHR, fhir=FhirAddress(url))
                parties.add_endpoint(connection, endpoint, now=self._core.now())
        return names

    def sign(self, reports: int) -> None:
        """So many reports, in turn of the clinics."""
        for number in range(self._signed, self._signed + reports):
            self._sign(self._clinics[number % len(self._clinics)], number)
        self._signed += reports
        hold(self.database)

    def _sign(self, clinic: Party, number: int) -> None:
        data = resources.CaseData(
            family=AYSE.family,
            given=AYSE.given,
            birth_date=AYSE.birth_date,
            gender="female",
            record_number=f"MRN-{number}",
            order_number=f"ORD-{number}",
            study_instance_uid=f"1.2.826.0.1.3680043.10.{number + 1}",
            accession_number=f"ACC-{number}",
            clinic=clinic.identifiers[0],
            reviewer=self._reviewer.identifiers[0],
        )
        order = resources.clinic_bundle(data, b"%PDF-1.7\n%%EOF\n", (Flow.RETURN_TO_CLINIC,))
        [case_id] = [one.resource.id for one in self._store(clinic, order) if one.resource.type == "ServiceRequest"]
        with self.database.read() as connection:
            pseudonym = cases.by_id(connection, case_id).pseudonym
        report = resources.report_bundle(pseudonym, number=str(number), signed_at=self._core.now())
        self._store(self._reviewer, report)
        with self.database.read() as connection:
            is_render = (outbox.c.kind == JobKind.REPORT_RENDER) & (outbox.c.state == JobState.PENDING)
            [job_id] = connection.scalars(select(outbox.c.id).where(is_render))
        run_job(self._core, job_id, {JobKind.REPORT_RENDER: partial(_render, self._core)})

    def _store(self, by: Party, bundle: resources.Json) -> list[Stored]:
        intake = Intake(self.database, self._core.now, effects(self._core), before_storing(self._core))
        return store(intake, Caller("benchmark", by), read_transaction(bundle))

    def _party(self, kind: PartyKind, name: str) -> Party:
        new = Party(name, kind, name, (Identifier("https://benchmark.example/id", name),), "TR", "Europe/Istanbul")
        with self.database.write("benchmark") as connection:
            parties.add_party(connection, new, now=self._core.now())
        return new


def hold(database: Database, *, endpoints: Sequence[str] | None = None) -> None:
    """Every sending, or those to these endpoints, is due tomorrow."""
    with database.write("benchmark") as connection:
        held = update(outbox).where(_SENDINGS).values(next_try_at=datetime.now(UTC) + _HELD_FOR)
        connection.execute(held if endpoints is None else held.where(outbox.c.endpoint_id.in_(endpoints)))


def release(database: Database, limit: int | None = None, *, besides: Sequence[str] = ()) -> datetime:
    """Sendings, all of them or so many, are due now; those to `besides` stay. Gives that moment."""
    now = datetime.now(UTC)
    chosen = select(outbox.c.id).where(_SENDINGS, outbox.c.endpoint_id.not_in(besides)).limit(limit)
    with database.write("benchmark") as connection:
        connection.execute(update(outbox).where(outbox.c.id.in_(chosen)).values(next_try_at=now))
    return now


def sent(connection: Connection, *, besides: Sequence[str] = ()) -> int:
    """How many sendings are done, those to `besides` apart."""
    is_done = (outbox.c.kind == JobKind.DELIVERY_SEND) & (outbox.c.state == JobState.DONE)
    query = select(func.count()).select_from(outbox).where(is_done, outbox.c.endpoint_id.not_in(besides))
    return connection.execute(query).scalar_one()


def _render(core: Core, job: Job) -> None:
    rendering.render(core, job, renderer=_rendered)


def _rendered(report: Report, subject: ReportSubject, *, fixed_identifier: str) -> Rendition:
    return Rendition(f"<p>{subject.record_number} {report.version}</p>".encode(), PDF + fixed_identifier.encode())
