"""When the keys of a client are fetched, and how long a copy of them serves."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.errors import Permanent, Transient
from gateway.services import published_keys
from gateway.services.clients import Means, add_client, set_keys
from gateway.store.clients import KeySet
from gateway.store.engine import Database
from tests.client_keys import ec_key, key_set, rsa_key
from tests.unit.gateway.web.support import PublishedKeys, World

URL = "https://ehr.example/keys"


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


@pytest.fixture
def host(world: World) -> PublishedKeys:
    means = Means(jwks_url=URL)
    add_client(world.core, "clinic", "ehr", means=means, actor="cli:test")
    world.keys.answers[URL] = (key_set(ec_key()), 600)
    return world.keys


def has(kid: str) -> Callable[[KeySet], bool]:
    return lambda keys: any(key["kid"] == kid for key in keys["keys"])


def ask(world: World, kid: str = "ec-1", url: str = URL) -> list[str]:
    keys = published_keys.keys_at(world.database, "ehr", url, has(kid), fetch=world.keys.fetch, now=world.clock())
    return [key["kid"] for key in keys["keys"]]


def test_a_copy_serves_for_its_max_age_and_is_fetched_again_then(world: World, host: PublishedKeys) -> None:
    assert ask(world) == ["ec-1"]
    world.clock.forward(seconds=599)
    ask(world)
    assert len(host.asked) == 1
    world.clock.forward(seconds=1)
    host.answers[URL] = (key_set(rsa_key()), 600)
    assert ask(world, "rsa-1") == ["rsa-1"]
    assert len(host.asked) == 2


@pytest.mark.parametrize(("max_age_s", "fresh_s"), [(0, 60), (10**9, 3600)])
def test_a_max_age_is_taken_within_bounds(world: World, host: PublishedKeys, max_age_s: float, fresh_s: float) -> None:
    host.answers[URL] = (key_set(ec_key()), max_age_s)
    ask(world)
    world.clock.forward(seconds=fresh_s - 1)
    ask(world)
    assert len(host.asked) == 1
    world.clock.forward(seconds=1)
    ask(world)
    assert len(host.asked) == 2


def test_an_unknown_key_has_them_fetched_once_a_minute_at_the_most(world: World, host: PublishedKeys) -> None:
    ask(world)
    world.clock.forward(seconds=61)
    for _ in range(5):
        assert ask(world, "unknown") == ["ec-1"]
    assert len(host.asked) == 2
    world.clock.forward(seconds=60)
    host.answers[URL] = (key_set(ec_key(), rsa_key()), 600)
    assert ask(world, "rsa-1") == ["ec-1", "rsa-1"]


@pytest.mark.parametrize(
    "answer",
    [Transient("away"), Permanent("HTTP 302"), (b"<html>", 0.0), (key_set({"k": "secret"}), 0.0)],
    ids=range(4),
)
def test_the_last_good_copy_serves_for_a_day_while_the_host_gives_none(
    world: World, host: PublishedKeys, answer: tuple[bytes, float] | Exception
) -> None:
    ask(world)
    host.answers[URL] = answer
    world.clock.forward(hours=23, minutes=59)
    assert ask(world) == ["ec-1"]
    world.clock.forward(minutes=1)
    with pytest.raises(Transient) as caught:
        ask(world)
    assert caught.value.retry_after_s == 60
    host.answers[URL] = (key_set(ec_key()), 600)
    world.clock.forward(minutes=1)
    assert ask(world) == ["ec-1"]


def test_without_any_copy_nobody_is_let_in_and_the_host_is_left_alone(world: World, host: PublishedKeys) -> None:
    host.answers[URL] = Transient("away")
    for _ in range(3):
        with pytest.raises(Transient):
            ask(world)
    assert len(host.asked) == 1


def test_the_fetch_is_in_no_transaction(world: World, host: PublishedKeys) -> None:
    def fetch(url: str) -> tuple[bytes, float]:
        with world.database.write("test.meanwhile"):
            pass
        return host.fetch(url)

    found = published_keys.keys_at(world.database, "ehr", URL, has("ec-1"), fetch=fetch, now=world.clock())
    assert has("ec-1")(found)


def test_keys_of_an_address_that_was_changed_meanwhile_are_not_kept(world: World, host: PublishedKeys) -> None:
    def fetch(url: str) -> tuple[bytes, float]:
        world.clock.forward(seconds=1)
        set_keys(world.core, "ehr", jwks_url=URL + "/new", actor="cli:test")
        host.answers[URL + "/new"] = (key_set(rsa_key()), 600)
        assert ask(world, "rsa-1", URL + "/new") == ["rsa-1"]
        return host.fetch(url)

    published_keys.keys_at(world.database, "ehr", URL, has("ec-1"), fetch=fetch, now=world.clock())
    assert ask(world, "ec-1", URL + "/new") == ["rsa-1"]


def test_a_clock_that_was_set_back_does_not_keep_them_from_being_fetched(world: World, host: PublishedKeys) -> None:
    host.answers[URL] = Transient("away")
    with pytest.raises(Transient):
        ask(world)
    host.answers[URL] = (key_set(ec_key()), 600)
    world.clock.time -= timedelta(days=2)
    assert ask(world) == ["ec-1"]
