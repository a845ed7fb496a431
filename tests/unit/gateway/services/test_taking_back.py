"""What has left is asked back where somebody took a consent back, and not where one that had ended is stored again."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from gateway.domain.consent.transfer import TransferKind
from gateway.domain.delivery import DeliveryState
from gateway.services import egress, recall, transferring
from gateway.services.transferring import NewTransfer
from gateway.store import resources, tables
from tests.unit.gateway.services.consent_acts import consent, move, patient
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

NOTE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">typed anew</div>'}
SCC = TransferKind.STANDARD_CONTRACTUAL_CLAUSES


def _left(scenery: Scenery) -> str:
    """Images leave; gives the id of their delivery."""
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is not None
    return delivery.id


def _over(scenery: Scenery) -> str:
    """Images left under a consent whose period is over; gives its id."""
    given = scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(days=1))
    _left(scenery)
    scenery.clock.forward(days=2)
    return given


def _without_transfer(scenery: Scenery) -> str:
    """Images left under a consent to a reviewer abroad, to whom nothing may go any more."""
    move(scenery, "board", "DE")
    given = scenery.consent(DISCLOSE)
    instrument = transferring.add(scenery.core, NewTransfer("ankara", "board", SCC, "SCC 7"), actor="cli:admin")
    _left(scenery)
    transferring.end(scenery.core, instrument, actor="cli:admin")
    return given


def _beside_one_that_cannot_be_read(scenery: Scenery) -> str:
    given = scenery.consent(DISCLOSE)
    _left(scenery)
    _break(scenery, scenery.consent(DISCLOSE))
    return given


def _break(scenery: Scenery, consent_id: str) -> None:
    version = tables.resource_version
    broken = b'{"resourceType": "Consent", "status": "active"}'
    with scenery.core.database.write("test") as connection:
        connection.execute(update(version).where(version.c.resource_id == consent_id).values(content=broken))


SITUATIONS = {"over": _over, "without transfer": _without_transfer, "unreadable": _beside_one_that_cannot_be_read}
in_each = pytest.mark.parametrize("situation", SITUATIONS)


def _stored_again(scenery: Scenery, consent_id: str, status: str) -> None:
    with scenery.core.database.read() as connection:
        content = dict(resources.current(connection, "ankara", "Consent", consent_id).content)
    consent(scenery, DISCLOSE, of=consent_id, **content | {"text": NOTE, "status": status})


@in_each
def test_another_text_recalls_nothing(situation: str, scenery: Scenery) -> None:
    given = SITUATIONS[situation](scenery)
    _stored_again(scenery, given, "active")
    assert recall.recall_lines(scenery.core, limit=10) == []


@in_each
def test_what_is_revoked_is_recalled_whatever_else_stands_in_the_way(situation: str, scenery: Scenery) -> None:
    given = SITUATIONS[situation](scenery)
    _stored_again(scenery, given, "inactive")
    [notice] = recall.recall_lines(scenery.core, limit=10)
    assert notice.reason.startswith(f"consent {given} version 2")


def test_a_dissent_recalls_what_left_under_a_consent_that_is_over(scenery: Scenery) -> None:
    _over(scenery)
    rule = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]}
    dissent = consent(scenery, DISCLOSE, policyRule=rule, without=("policy", "provision"))
    [notice] = recall.recall_lines(scenery.core, limit=10)
    assert notice.reason.startswith(f"consent {dissent} version 1")


def test_a_permit_that_still_has_no_way_out_recalls_nothing(scenery: Scenery) -> None:
    """Time ended the consent under which it left; the one given now says nothing against it."""
    move(scenery, "board", "DE")
    scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(days=1))
    instrument = transferring.add(scenery.core, NewTransfer("ankara", "board", SCC, "SCC 7"), actor="cli:admin")
    _left(scenery)
    transferring.end(scenery.core, instrument, actor="cli:admin")
    scenery.clock.forward(days=2)
    scenery.consent(DISCLOSE)
    assert recall.recall_lines(scenery.core, limit=10) == []


def test_one_that_cannot_be_read_is_mended(scenery: Scenery) -> None:
    """By a version that can be read, though nobody can tell what the one before permitted."""
    given = scenery.consent(DISCLOSE, ends=scenery.clock() + timedelta(days=1))
    _left(scenery)
    scenery.clock.forward(days=2)
    _break(scenery, given)
    scenery.consent(DISCLOSE, of=given, ends=scenery.clock())
    assert recall.recall_lines(scenery.core, limit=10) == []


def test_a_merge_that_brings_a_permit_ends_the_notice_by_that_consent(scenery: Scenery) -> None:
    first = scenery.consent(DISCLOSE)
    delivery_id = _left(scenery)
    scenery.consent(DISCLOSE, status="inactive", of=first)
    assert len(recall.recall_lines(scenery.core, limit=10)) == 1
    other = patient(scenery)
    second = consent(scenery, DISCLOSE, patient_id=other)
    into = {"reference": f"Patient/{scenery.case.patient_id}"}
    patient(scenery, of=other, link=[{"other": into, "type": "replaced-by"}])
    assert recall.recall_lines(scenery.core, limit=10) == []
    assert scenery.delivery(delivery_id).state is DeliveryState.PENDING
    with scenery.core.database.read() as connection:
        withdrawn = select(tables.audit.c.details).where(tables.audit.c.action == "recall.withdrawn")
        assert [one["consent"] for one in connection.execute(withdrawn).scalars()] == [f"{second}/1"]
