"""Clients are registered for a party, changed and revoked; each leaves an audit row."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.services.client_page import client_page
from gateway.services.client_proof import BySecret, NotProven, digest, prove
from gateway.services.clients import Means, add_client, revoke_client, rotate_secret, set_keys
from gateway.services.core import Core
from gateway.services.tokens import authenticate, issue_token
from gateway.store import parties
from gateway.store.clients import Proof, client_by_id
from gateway.store.engine import Database
from gateway.store.tables import audit, oauth_client
from tests.client_keys import ec_key, key_set, public, rsa_key
from tests.core import START, Clock, core_over

ACTOR = "cli:test"
Change = Callable[..., object]


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


def proof(core: Core, client_id: str = "ehr") -> Proof:
    with core.database.read() as connection:
        found = client_by_id(connection, client_id)
    assert found is not None
    return found.proof


def test_a_client_has_a_secret_unless_it_proves_itself_otherwise(core: Core) -> None:
    assert add_client(core, "ankara", "plain", actor=ACTOR).methods == ("secret",)
    by_key = add_client(core, "ankara", "ehr", means=Means(jwks=key_set(ec_key())), actor=ACTOR)
    assert (by_key.secret, by_key.methods) == ("", ("key",))
    several = Means(has_secret=True, jwks_url="https://ehr.example/keys", certificate_name="EHR.example")
    added = add_client(core, "ankara", "both", means=several, actor=ACTOR)
    assert added.secret
    assert added.methods == ("secret", "key", "certificate")
    assert proof(core, "both").certificate_name == "ehr.example"


@pytest.mark.parametrize(
    ("means", "at"),
    [
        (Means(), "client"),
        (Means(jwks=b"{}"), "jwks"),
        (Means(jwks=b"{}", jwks_url="https://ehr.example/keys"), "jwks"),
        (Means(jwks_url="http://ehr.example/keys"), "jwks_url"),
        (Means(jwks_url="ftp://ehr.example/keys"), "jwks_url"),
        (Means(jwks_url="file:///etc/passwd"), "jwks_url"),
        (Means(jwks_url="https://user:secret@ehr.example/keys"), "jwks_url"),
        (Means(jwks_url="https://ehr.example/keys#one"), "jwks_url"),
        (Means(jwks_url="https:///keys"), "jwks_url"),
        (Means(jwks_url="https://ehr.example:99999/keys"), "jwks_url"),
        (Means(jwks_url="https://[::1/keys"), "jwks_url"),
        (Means(jwks_url="https://ehr.example/ keys"), "jwks_url"),
        (Means(jwks_url="https://ehr.example/" + "k" * 300), "jwks_url"),
        (Means(certificate_name="*.ehr.example"), "certificate_name"),
        (Means(certificate_name="localhost"), "certificate_name"),
        (Means(certificate_name="ehr..example"), "host"),
    ],
    ids=range(16),
)
def test_means_that_cannot_be_used_are_refused(core: Core, means: Means, at: str) -> None:
    with pytest.raises(Invalid) as caught:
        add_client(core, "ankara", "ehr", means=means, actor=ACTOR)
    assert caught.value.at == at
    assert kept(core) == ([], [])


def test_keys_may_be_fetched_in_the_clear_on_this_machine_alone(core: Core) -> None:
    for number, url in enumerate(("http://127.0.0.1:9000/keys", "http://localhost/keys", "http://[::1]:9000/keys")):
        add_client(core, "ankara", f"ehr-{number}", means=Means(jwks_url=url), actor=ACTOR)
        assert proof(core, f"ehr-{number}").jwks_url == url


def test_a_client_may_do_what_it_was_registered_for(core: Core) -> None:
    assert add_client(core, "ankara", "ehr", actor=ACTOR).scope == "system/*.crus"
    assert add_client(core, "ankara", "reader", scope="system/Task.read", actor=ACTOR).scope == "system/Task.rs"
    for scope in ("", "user/*.rs", "system/Task.sr"):
        with pytest.raises(Invalid):
            add_client(core, "ankara", "other", scope=scope, actor=ACTOR)


def test_a_rotated_secret_takes_the_place_of_the_one_before(core: Core) -> None:
    first = add_client(core, "ankara", "ehr", actor=ACTOR).secret
    second = rotate_secret(core, "ehr", actor=ACTOR)
    assert second != first
    assert proof(core).secret_sha256 == digest(second)
    assert kept(core)[1][-1] == ("client.rotate-secret", "ehr", ACTOR)


@pytest.mark.parametrize("change", [rotate_secret, revoke_client])
def test_a_proof_that_ended_before_the_token_was_made_gets_none(core: Core, change: Change) -> None:
    made = add_client(core, "ankara", actor=ACTOR)
    shown = BySecret(made.client_id, made.secret)
    proven = prove(core.database, shown, certificate=None, fetch=_nowhere, now=START)
    token = issue_token(core.database, proven, now=START).token
    assert authenticate(core.database, token, now=START).client_id == made.client_id
    change(core, made.client_id, actor=ACTOR)
    with pytest.raises(NotProven) as caught:
        issue_token(core.database, proven, now=START)
    assert (caught.value.reason, caught.value.client_id) == ("changed", made.client_id)


def test_other_keys_take_the_place_of_those_before(core: Core) -> None:
    add_client(core, "ankara", "ehr", means=Means(jwks=key_set(ec_key())), actor=ACTOR)
    set_keys(core, "ehr", jwks_url="https://ehr.example/keys", actor=ACTOR)
    assert (proof(core).jwks, proof(core).jwks_url) == (None, "https://ehr.example/keys")
    set_keys(core, "ehr", jwks=key_set(rsa_key()), actor=ACTOR)
    assert proof(core).jwks_url is None
    assert kept(core)[1][-1] == ("client.set-keys", "ehr", ACTOR)


def test_what_a_client_has_not_cannot_be_changed(core: Core) -> None:
    add_client(core, "ankara", "ehr", means=Means(jwks=key_set(ec_key())), actor=ACTOR)
    add_client(core, "ankara", "plain", actor=ACTOR)
    with pytest.raises(Conflict, match="no secret"):
        rotate_secret(core, "ehr", actor=ACTOR)
    with pytest.raises(Conflict, match="no keys"):
        set_keys(core, "plain", jwks=key_set(ec_key()), actor=ACTOR)
    with pytest.raises(NotFound):
        rotate_secret(core, "nobody", actor=ACTOR)
    with pytest.raises(Invalid):
        set_keys(core, "ehr", actor=ACTOR)
    revoke_client(core, "plain", actor=ACTOR)
    with pytest.raises(Conflict, match="revoked"):
        rotate_secret(core, "plain", actor=ACTOR)


def test_a_page_shows_keys_and_no_secret(core: Core) -> None:
    means = Means(has_secret=True, jwks=key_set(ec_key(), public(rsa_key(), exp=int(START.timestamp()))))
    secret = add_client(core, "ankara", "ehr", means=means, actor=ACTOR).secret
    page = client_page(core, "ehr")
    assert [(key.kid, key.expires_at) for key in page.keys] == [("ec-1", None), ("rsa-1", START)]
    assert page.keys[0].thumbprint == ec_key().thumbprint()
    assert page.client.methods == ("secret", "key")
    assert secret not in repr(page)
    assert digest(secret) not in repr(page)
    with pytest.raises(NotFound):
        client_page(core, "nobody")


def _nowhere(url: str) -> tuple[bytes, float]:
    raise AssertionError(url)
