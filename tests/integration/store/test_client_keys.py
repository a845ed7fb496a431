"""Assertions and published keys when many web threads come at once, on either database."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.domain.errors import Transient
from gateway.domain.party import Identifier, Party, PartyKind
from gateway.services.client_proof import ByAssertion, NotProven, digest, prove
from gateway.services.clients import Means, add_client, rotate_secret, set_keys
from gateway.services.core import Core
from gateway.services.tokens import authenticate, issue_token
from gateway.store import clients, parties
from gateway.store.engine import Database
from gateway.store.tables import access_token, used_assertion
from tests.client_keys import claims, ec_key, key_set, rsa_key, signed
from tests.core import START, Clock, core_over
from tests.integration.store.overlap import overlapping

AT_ONCE = 16
URL = "https://gateway.example/oauth/token"
KEYS = "https://ehr.example/keys"


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    with database.write("test") as connection:
        identifiers = (Identifier("urn:oid:1.2.3", "ANK"),)
        party = Party("1", PartyKind.CLINIC, "ankara", identifiers, "TR", "Europe/Istanbul")
        parties.add_party(connection, party, now=START)
    return core_over(database, tmp_path, Clock())


def at_once(call: Callable[[], str]) -> list[str]:
    gate = threading.Barrier(AT_ONCE)

    def run(_: int) -> str:
        gate.wait(30)
        return call()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def test_one_of_many_replays_gets_a_token(core: Core) -> None:
    add_client(core, "ankara", "ehr", means=Means(jwks=key_set(ec_key())), actor="cli:test")
    text = signed(ec_key(), claims("ehr", URL))

    def fetch() -> str:
        shown = ByAssertion(text, URL)
        proven = prove(core.database, shown, certificate=None, fetch=_nowhere, now=START)
        try:
            return issue_token(core.database, proven, now=START).token
        except NotProven as refusal:
            return refusal.reason

    found = at_once(fetch)
    assert found.count("replay") == AT_ONCE - 1
    [token] = set(found) - {"replay"}
    with core.database.read() as connection:
        tables = (access_token, used_assertion)
        counts = [connection.execute(select(func.count()).select_from(one)).scalar() for one in tables]
    assert counts == [1, 1]
    caller = authenticate(core.database, token, now=START)
    assert (caller.client_id, caller.party.name, str(caller.scopes)) == ("ehr", "ankara", "system/*.crus")


def test_keys_are_fetched_by_one_of_many(core: Core) -> None:
    add_client(core, "ankara", "ehr", means=Means(jwks_url=KEYS), actor="cli:test")
    asked: list[str] = []

    def give(url: str) -> tuple[bytes, float]:
        asked.append(url)
        return key_set(ec_key()), 600

    def come() -> str:
        shown = ByAssertion(signed(ec_key(), claims("ehr", URL)), URL)
        try:
            return prove(core.database, shown, certificate=None, fetch=give, now=START).client.id
        except Transient:  # the other has not fetched them yet
            return "later"

    assert set(at_once(come)) <= {"ehr", "later"}
    assert come() == "ehr"
    assert asked == [KEYS]


def test_two_changes_of_one_client_at_once_both_stand(core: Core) -> None:
    means = Means(has_secret=True, jwks=key_set(ec_key()))
    made = add_client(core, "ankara", "ehr", means=means, actor="cli:test")
    other = key_set(rsa_key())
    secret, _ = overlapping(
        core.database,
        partial(rotate_secret, core, "ehr", actor="cli:test"),
        partial(set_keys, core, "ehr", jwks=other, actor="cli:test"),
    )
    with core.database.read() as connection:
        proof = clients.clients(connection)[0].proof
    assert (proof.secret_sha256, proof.jwks) == (digest(secret), json.loads(other))
    assert secret != made.secret


def _nowhere(url: str) -> tuple[bytes, float]:
    raise AssertionError(url)
