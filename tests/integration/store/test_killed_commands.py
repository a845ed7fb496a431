"""What a person decides by command is killed (SIGKILL) at its commit: before it nothing happened, after it all did.

Whoever gives the command again is told what stands, or adds nothing but one more row of the audit trail.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.demo import resources as demo
from gateway.domain.consent.transfer import TransferKind
from gateway.domain.delivery import DeliveryState, Flow
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.party import DicomAddress, EndpointRole, Identifier, PartyKind
from gateway.domain.people import Role
from gateway.domain.resource import StoredResource
from gateway.services import (
    cases,
    clients,
    closing,
    delivery_control,
    documents,
    employment,
    explaining,
    legal_hold,
    linking,
    quarantine,
    recalling,
    registry,
    representation,
    revoking,
    second_look,
    transferring,
)
from gateway.services.intake import receive
from gateway.services.people import registry as people
from gateway.services.registry import NewEndpoint
from gateway.services.transferring import NewTransfer
from gateway.store import deliveries, recalls, resources, studies, tables
from tests.acceptance.kill_points import BY_COMMAND
from tests.client_keys import ec_key, key_set
from tests.forked import kill_at, on_its_databases
from tests.hooks import hooks_of
from tests.integration.store.finished import PDF, Clinic
from tests.integration.store.stage import Stage, update
from tests.peers.generated import CAGRI, ct_series

ROOT = Path(__file__).parents[3]
Command = Callable[[], object]
Prepare = Callable[[Clinic], Command]
Rows = dict[str, list[str]]
BY: dict[str, Any] = {"actor": "nurse"}
GUARDIAN = {"identifier": {"system": "urn:oid:1.2.3", "value": "guardian-1"}}
IZMIR = Identifier("urn:oid:2.16.792.1.2.3", "izmir")


@pytest.fixture
def clinic(stage: Stage) -> Clinic:
    return Clinic(stage)


def _of_delivery(command: Callable[..., object], *given: str, first: Callable[..., object] | None = None) -> Prepare:
    def prepare(clinic: Clinic) -> Command:
        delivery_id = _opened(clinic)
        if first is not None:
            first(clinic.stage.core, delivery_id, "it was asked for", **BY)
        return partial(command, clinic.stage.core, delivery_id, *given, **BY)

    return prepare


def _in_doubt(command: Callable[..., object]) -> Prepare:
    def prepare(clinic: Clinic) -> Command:
        core, delivery_id = clinic.stage.core, _opened(clinic)
        with core.database.write("test") as connection:
            deliveries.change(connection, delivery_id, now=core.now(), state=DeliveryState.AMBIGUOUS)
        return partial(command, core, delivery_id, **BY)

    return prepare


def _opened(clinic: Clinic) -> str:
    case_id = clinic.order()
    with clinic.stage.core.database.read() as connection:
        return deliveries.listed(connection, case_id=case_id)[0].id


def _of_document(command: Callable[..., object], *given: bytes) -> Prepare:
    def prepare(clinic: Clinic) -> Command:
        posted = clinic.stage.post(demo.clinic_bundle(clinic.stage.case_data(), PDF))
        [document] = [one.id for one in posted if one.type == "DocumentReference"]
        return partial(command, clinic.stage.core, document, *given, **BY)

    return prepare


def _of_case(command: Callable[..., object], *, first: Callable[..., object] | None = None, **given: str) -> Prepare:
    def prepare(clinic: Clinic) -> Command:
        case_id = clinic.finished()
        if first is not None:
            first(clinic.stage.core, case_id, reason="it was asked for", **BY)
        return partial(command, clinic.stage.core, case_id, **given, **BY)

    return prepare


def _of_quarantine(command: Callable[..., object]) -> Prepare:
    def prepare(clinic: Clinic) -> Command:
        ds, other = ct_series(slices=2)
        other.PatientSex = "M"
        for one in (ds, other):
            receive(clinic.stage.core, clinic.stage.arrival(one))
        with clinic.stage.core.database.read() as connection:
            [entry] = studies.quarantined(connection)
        return partial(command, clinic.stage.core, entry.id, **BY)

    return prepare


def _linking(clinic: Clinic) -> Command:
    posted = clinic.stage.post(demo.clinic_bundle(clinic.stage.case_data(), PDF))
    [case_id] = [one.id for one in posted if one.type == "ServiceRequest"]
    receive(clinic.stage.core, clinic.stage.arrival(ct_series(slices=1, patient=CAGRI)[0]))
    clinic.later(clinic.stage.core.quiet_period * 2)
    with clinic.stage.core.database.read() as connection:
        [study] = studies.listed(connection)
    return partial(linking.link, clinic.stage.core, study.id, case_id, **BY)


def _leaving_out(clinic: Clinic) -> Command:
    data, core = clinic.stage.case_data(), clinic.stage.core
    case_id = clinic.order(data=data)
    clinic.arrive(case_id)
    clinic.report(case_id)
    clinic.arrive(case_id)
    closing.close(core, case_id, reason="done", **BY)
    *_, further = ct_series(slices=3, study_instance_uid=data.study_instance_uid, accession=data.accession_number)
    receive(core, clinic.stage.arrival(further))
    clinic.later(core.quiet_period * 2)
    with core.database.read() as connection:
        [study] = studies.listed(connection, case_id=case_id)
    return partial(second_look.leave_out, core, study.id, reason="it came too late", **BY)


def _assigning(clinic: Clinic) -> Command:
    bundle = demo.clinic_bundle(clinic.stage.case_data(), PDF)
    [order] = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "ServiceRequest"]
    del order["performer"]
    [case_id] = [one.id for one in clinic.stage.post(bundle) if one.type == "ServiceRequest"]
    return partial(cases.assign, clinic.stage.core, case_id, "deniz", **BY)


def _acknowledging(clinic: Clinic) -> Command:
    case_id = clinic.finished()
    with clinic.stage.core.database.read() as connection:
        patient_id = clinic.case(case_id).patient_id
        consents: list[StoredResource] = list(
            resources.referring(connection, clinic.stage.clinic.id, "Consent", patient_id)
        )
    for consent in consents:
        clinic.stage.post(update(consent, status="inactive"))
    with clinic.stage.core.database.read() as connection:
        notice = recalls.listed(connection, case_id=case_id)[0]
    return partial(recalling.acknowledge, clinic.stage.core, notice.id, **BY)


def _another_party(clinic: Clinic) -> Command:
    core = clinic.stage.core
    return partial(
        registry.register_party,
        core.database,
        kind=PartyKind.CLINIC,
        name="izmir",
        identifiers=[IZMIR],
        country="TR",
        time_zone="Europe/Istanbul",
        endpoints=[],
        now=core.now(),
        **BY,
    )


def _another_endpoint(clinic: Clinic) -> Command:
    core = clinic.stage.core
    new = NewEndpoint("second", EndpointRole.PACS, dicom=DicomAddress("SECOND", "10.0.0.9", 104))
    return partial(registry.register_endpoint, core.database, party_name="ankara", new=new, now=core.now(), **BY)


def _another_client(clinic: Clinic) -> Command:
    return partial(clients.add_client, clinic.stage.core, "ankara", "ehr-of-ankara", **BY)


def _another_secret(clinic: Clinic) -> Command:
    _another_client(clinic)()
    return partial(clients.rotate_secret, clinic.stage.core, "ehr-of-ankara", **BY)


def _other_keys(clinic: Clinic) -> Command:
    core, means = clinic.stage.core, clients.Means(jwks=key_set(ec_key("first")))
    clients.add_client(core, "ankara", "ehr-of-ankara", means=means, **BY)
    return partial(clients.set_keys, core, "ehr-of-ankara", jwks=key_set(ec_key("second")), **BY)


def _other_scopes(clinic: Clinic) -> Command:
    _another_client(clinic)()
    return partial(clients.set_scopes, clinic.stage.core, "ehr-of-ankara", "system/Task.rs", **BY)


def _employed(clinic: Clinic) -> Command:
    clinic.order()
    return partial(employment.add, clinic.stage.core, "deniz", IZMIR, **BY)


def _without_client(clinic: Clinic) -> Command:
    _another_client(clinic)()
    return partial(clients.revoke_client, clinic.stage.core, "ehr-of-ankara", **BY)


def _moved_abroad(clinic: Clinic) -> NewTransfer:
    """The reviewer is in another country; gives what lets images go there."""
    with clinic.stage.core.database.write("test") as connection:
        connection.execute(tables.party.update().where(tables.party.c.name == "deniz").values(country="DE"))
    return NewTransfer("ankara", "deniz", TransferKind.STANDARD_CONTRACTUAL_CLAUSES, "SCC 7", last="2099-12-31")


def _adding_transfer(clinic: Clinic) -> Command:
    new, core = _moved_abroad(clinic), clinic.stage.core
    return partial(transferring.add, core, new, **BY)


def _ending_transfer(clinic: Clinic) -> Command:
    """Images are on their way on the ground of it."""
    new, core = _moved_abroad(clinic), clinic.stage.core
    record_id = transferring.add(core, new, **BY)
    clinic.order()
    return partial(transferring.end, core, record_id, **BY)


def _represented(clinic: Clinic) -> str:
    """The id of a consent that a guardian gave."""
    data = clinic.stage.case_data()
    [patient] = clinic.stage.post(demo.patient_resource(data))
    content = demo.consent(data, Flow.DISCLOSE_TO_REVIEWER, f"Patient/{patient.id}")
    [stored] = clinic.stage.post(content | {"performer": [GUARDIAN]})
    return stored.id


def _revoking(clinic: Clinic) -> Command:
    """Images are on their way on the ground of it."""
    patient_id = clinic.case(clinic.order()).patient_id
    with clinic.stage.core.database.read() as connection:
        given = resources.referring(connection, clinic.stage.clinic.id, "Consent", patient_id)
    [consent_id] = [one.id for one in given if "disclose-to-reviewer" in str(one.content["policy"])]
    return partial(revoking.revoke, clinic.stage.core, consent_id, reason="a letter", **BY)


def _recording_authority(clinic: Clinic) -> Command:
    return partial(representation.record, clinic.stage.core, _represented(clinic), basis="a court order", **BY)


def _withdrawing_authority(clinic: Clinic) -> Command:
    core, consent_id = clinic.stage.core, _represented(clinic)
    representation.record(core, consent_id, basis="a court order", **BY)
    return partial(representation.withdraw, core, consent_id, **BY)


def _explaining(clinic: Clinic) -> Command:
    posted = clinic.stage.post(demo.clinic_bundle(clinic.stage.case_data(), PDF))
    [case_id] = [one.id for one in posted if one.type == "ServiceRequest"]
    return partial(explaining.explain_to_person, clinic.stage.core, case_id, "ehr", moment="", **BY)


def _another_user(clinic: Clinic) -> Command:
    return partial(people.add, clinic.stage.core, "coordinator", [Role.COORDINATOR], None, **BY)


def _of_user(command: Callable[..., object], *given: object, first: Callable[..., object] | None = None) -> Prepare:
    def prepare(clinic: Clinic) -> Command:
        _another_user(clinic)()
        if first is not None:
            first(clinic.stage.core, "coordinator", **BY)
        return partial(command, clinic.stage.core, "coordinator", *given, **BY)

    return prepare


COMMANDS: Mapping[str, Prepare] = {
    "authority.record": _recording_authority,
    "authority.withdraw": _withdrawing_authority,
    "consent.explain": _explaining,
    "consent.revoke": _revoking,
    "transfer.add": _adding_transfer,
    "transfer.end": _ending_transfer,
    "case.assign": _assigning,
    "case.close": _of_case(closing.close, reason="done"),
    "case.hold": _of_case(legal_hold.hold, reason="a court asks"),
    "case.reopen": _of_case(closing.reopen, first=closing.close),
    "case.unhold": _of_case(legal_hold.unhold, first=legal_hold.hold),
    "client.add": _another_client,
    "client.rotate-secret": _another_secret,
    "client.set-keys": _other_keys,
    "client.set-scopes": _other_scopes,
    "delivery.cancel": _of_delivery(delivery_control.cancel),
    "delivery.confirm": _in_doubt(delivery_control.confirm),
    "delivery.hold": _of_delivery(delivery_control.hold, "wait"),
    "delivery.release": _of_delivery(delivery_control.release, first=delivery_control.hold),
    "delivery.resend": _in_doubt(delivery_control.resend),
    "delivery.retry": _of_delivery(delivery_control.retry),
    "document.approve": _of_document(documents.approve),
    "document.redact": _of_document(documents.attach_redacted, PDF + b" without a name"),
    "document.reject": _of_document(documents.reject),
    "document.show": _of_document(documents.shown),
    "quarantine.accept": _of_quarantine(quarantine.accept),
    "quarantine.reject": _of_quarantine(quarantine.reject),
    "recall.acknowledge": _acknowledging,
    "registry.client": _without_client,
    "registry.endpoint": _another_endpoint,
    "registry.organization": _employed,
    "registry.party": _another_party,
    "study.leave-out": _leaving_out,
    "study.link": _linking,
    "user.add": _another_user,
    "user.disable": _of_user(people.disable),
    "user.enable": _of_user(people.enable, first=people.disable),
    "user.reset": _of_user(people.reset),
    "user.roles": _of_user(people.set_roles, [Role.ADMINISTRATOR], None),
    "user.unlock": _of_user(people.unlock),
}
ONLY_ADDS_TO = {
    "consent.explain": {"audit"},
    "client.rotate-secret": {"oauth_client", "audit"},  # it is another secret each time
    "client.set-keys": {"audit"},
    "delivery.retry": {"delivery", "outbox", "audit"},  # it may be tried at once as often as somebody likes
    "document.show": {"audit"},
    "registry.client": {"oauth_client", "audit"},
    "study.link": {"case_key", "outbox", "audit"},  # of several links the last one counts
    "registry.endpoint": {"endpoint", "audit"},  # the same address again
    "user.reset": {"person", "audit"},  # a code in place of the earlier one
    "user.unlock": {"audit"},
}
"""What may be done twice -> the tables that differ afterwards."""
KILLED = [name for name in COMMANDS if "SOAK" in os.environ or name == "user.add" or not name.startswith("user.")]
"""What is done to a person's row is alike: one of it at each run, all of it in `make soak`."""


def _everything(clinic: Clinic) -> Rows:
    with clinic.stage.core.database.read() as connection:
        return {
            one.name: sorted(str(tuple(row)) for row in connection.execute(select(one)))
            for one in tables.metadata.sorted_tables
            if one.name != "audit_tail"  # what the sealer has to chain yet
        }


def test_each_command_that_commits_has_its_test() -> None:
    assert set(COMMANDS) == set(BY_COMMAND)
    assert set(BY_COMMAND) <= {hook.name for hook in hooks_of(ROOT)}


@on_its_databases
@pytest.mark.parametrize("name", KILLED)
def test_a_command_that_was_killed_did_all_or_nothing(clinic: Clinic, name: str) -> None:
    database, command = clinic.stage.core.database, COMMANDS[name](clinic)
    before = _everything(clinic)
    kill_at(f"{name}.before_commit", command, database=database)
    assert _everything(clinic) == before

    kill_at(f"{name}.after_commit", command, database=database)
    after = _everything(clinic)
    assert len(after["audit"]) > len(before["audit"])

    try:
        command()
    except (Conflict, NotFound):
        assert name not in ONLY_ADDS_TO
        assert _everything(clinic) == after
    else:
        again = _everything(clinic)
        changed = {table for table, rows in again.items() if rows != after[table]}
        assert changed <= ONLY_ADDS_TO[name]
        assert {table: len(rows) for table, rows in again.items() if table != "audit"} == {
            table: len(rows) for table, rows in after.items() if table != "audit"
        }
