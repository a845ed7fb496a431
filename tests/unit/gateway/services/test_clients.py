"""Clients are registered for a party, and revoked; both leave an audit row."""

import base64
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.services.clients import add_client, revoke_client
from gateway.services.core import Core
from gateway.store import parties
from gateway.store.engine import Database
from gateway.store.tables import audit, oauth_client
from tests.core import START, Clock, core_over

ACTOR = "cli:test"


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    with database.write("test") as connection:
        identifiers = (Identifier("urn:oid:1.2.3", "ANK"),)
        party = Party("1", PartyKind.CLINIC, "ankara", identifiers, "TR", "Europe/Istanbul")
        parties.add_party(connection, party, now=START)
    return core_over(database, tmp_path, Clock())


def kept(core: Core) -> tuple[list[str], list[tuple[str, str, str]]]:
    """The clients, and the audit rows."""
    with core.database.read() as connection:
        clients = connection.execute(select(oauth_client.c.id).order_by(oauth_client.c.id)).scalars()
        rows = connection.execute(select(audit.c.action, audit.c.subject, audit.c.actor).order_by(audit.c.id))
        return list(clients), [tuple(row) for row in rows]


def test_a_client_is_registered_under_an_id_of_its_own(core: Core) -> None:
    made = add_client(core, "ankara", actor=ACTOR)
    assert made.client_id.startswith("client-")
    assert made.party_name == "ankara"
    assert len(base64.urlsafe_b64decode(made.secret + "=")) == 32
    assert kept(core) == ([made.client_id], [("client.add", made.client_id, ACTOR)])


def test_a_client_is_registered_under_the_wished_id_once(core: Core) -> None:
    assert add_client(core, "ankara", "ehr", actor=ACTOR).client_id == "ehr"
    with pytest.raises(Conflict):
        add_client(core, "ankara", "ehr", actor=ACTOR)
    with pytest.raises(Invalid) as caught:
        add_client(core, "ankara", "a b", actor=ACTOR)
    assert caught.value.at == "client_id"
    with pytest.raises(NotFound):
        add_client(core, "nobody", actor=ACTOR)
    assert kept(core) == (["ehr"], [("client.add", "ehr", ACTOR)])


def test_a_revoked_client_leaves_an_audit_row(core: Core) -> None:
    add_client(core, "ankara", "ehr", actor=ACTOR)
    revoke_client(core, "ehr", actor=ACTOR)
    assert kept(core)[1][-1] == ("client.revoke", "ehr", ACTOR)
    with pytest.raises(NotFound):
        revoke_client(core, "nobody", actor=ACTOR)


def test_no_secret_shows_in_a_representation(core: Core) -> None:
    made = add_client(core, "ankara", actor=ACTOR)
    assert made.secret not in repr(made)
    assert repr(core.pseudonym_key) not in repr(core)
