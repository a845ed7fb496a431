"""Nothing leaves but by the exits of the table, and each rule notices a violation planted in it."""

from pathlib import Path

import pytest

from gateway.domain.delivery import DeliveryKind
from gateway.domain.exits import EXITS, Ground
from gateway.services import delivery
from tests.exits import doors_that_are_not_there, violations

ROOT = Path(__file__).parents[2]
ASKED = "sending.permission.require(payload)"
PERMITTED = "before_send=partial(sending.permission.require, payload)"
SENDER, PACS, ADAPTER = "gateway/services/to_reviewer.py", "gateway/services/to_pacs.py", "dicom_node/scu/query.py"


def _body(*lines: str, of: str = "_send_one(sending, sender, payload)") -> str:
    return f"def {of}:\n" + "".join(f"    {line}\n" for line in lines)


PLANTS = {
    "nobody is asked": (SENDER, _body("sender.send(b'')"), "without asking"),
    "asked once for all objects": (
        SENDER, _body(ASKED, "for one in payload:", "    sender.send(one)"), "without asking"),
    "asked once for two": (SENDER, _body(ASKED, "sender.send(b'')", "sender.send(b'')"), "without asking"),
    "asked on one of two ways": (
        SENDER, _body("if payload:", f"    {ASKED}", "sender.send(b'')"), "without asking"),
    "asked afterwards": (SENDER, _body("sender.send(b'')", ASKED), "without asking"),
    "asked by something else": (SENDER, _body("sending.require(payload)", "sender.send(b'')"), "without asking"),
    "under another name": (SENDER, _body("archive = sender", "archive.send(b'')"), "without asking"),
    "handed on": (SENDER, _body(ASKED, "return list(map(sender.send, payload))"), "handed on"),
    "out of a lambda": (SENDER, _body(ASKED, "return lambda: sender.send(b'')"), "without asking"),
    "an association that stays open": (
        SENDER, _body("return outside.open_sender(1, 2)", of="opened(outside)"), "is opened by `with`"),
    "a query of nobody's leave": (
        PACS, _body("return outside.find_study(1, 2)", of="_the_study(outside)"), "without asking"),
    "a query that asks nothing": (
        PACS, _body("outside.find_study(1, 2, before_send=lambda: None)", of="_the_study(outside)"), "without asking"),
    "a report that asks nothing": (
        "gateway/services/to_ehr.py", _body("outside.deliver_report(1)", of="send_to_ehr(outside)"), "without asking"),
    "a service of its own": (
        "gateway/services/planted.py", _body(ASKED, "sender.send(b'')"), "gateway.domain.exits"),
    "a query elsewhere": (
        "gateway/services/planted.py", _body(f"outside.find_study(1, {PERMITTED})", of="f(outside)"), "by no door"),
    "a library elsewhere": ("gateway/web/planted.py", "import httpx\n", "has no exit here"),
    "a program": ("gateway/services/planted.py", "import subprocess\n", "has no exit here"),
    "a permission of one's own": ("gateway/services/planted.py", _body("return Permission(1, 2, 3)"), "in gateway"),
    "a grant of one's own": ("gateway/services/egress.py", _body("return EgressGrant(1, 2, 3, 4)"), "in gateway"),
    "a grant that is written past the decision": (
        "gateway/services/planted.py", _body("deliveries.add_grant(connection, 1)", of="f(connection)"), "in gateway"),
    "a read that nobody granted": (
        "gateway/services/planted.py", "from fhir_mappings.reviewed import reviewed_order\n", "is imported by"),
    "a request past the session": (
        "workers/ehr/planted.py", "from workers.ehr.exchange import exchange\n", "is imported by"),
    "a query of an adapter": (ADAPTER, _body("peer.send_c_find(1, 2)", of="_find(peer)"), "without before_send()"),
    "two queries of an adapter": (
        ADAPTER,
        _body("before_send()", "for one in peer:", "    peer.send_c_find(one)", of="_find(peer, before_send)"),
        "without before_send()",
    ),
    "a request of the session": (
        "workers/ehr/client.py", _body("return exchange(1, 2)", of="_send_once(call)"), "without self._before_send()"),
    "a search said to be about nobody": (
        "workers/ehr/search.py", _body('Call("GET", "Patient", is_about_nobody=True)', of="f()"), "_ABOUT_NOBODY"),
}  # fmt: skip


def test_everything_that_leaves_does_so_by_an_exit_and_with_leave() -> None:
    assert violations(ROOT) == []


def test_every_door_of_the_table_is_there() -> None:
    assert doors_that_are_not_there(ROOT) == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_exit_is_caught(name: str, tmp_path: Path) -> None:
    path, code, words = PLANTS[name]
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(code, encoding="utf-8")
    found = [str(one) for one in violations(tmp_path)]
    assert found
    assert all(one.startswith(f"{path}:") for one in found)
    assert any(words in one for one in found)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (SENDER, _body("for one in payload:", f"    {ASKED}", "    sender.send(one)")),
        (SENDER, _body(ASKED, "try:", "    status = sender.send(b'')", "finally:", "    pass")),
        (PACS, _body(f"return outside.find_study(1, {PERMITTED})", of="_the_study(outside)")),
        ("workers/ehr/client.py", _body(
            "if not call.is_about_nobody:", "    self._before_send()", "return exchange(1)", of="_send_once(self, call)"
        )),
    ],
    ids=["each object", "in a try", "a query", "a request"],
)  # fmt: skip
def test_what_asks_is_left_alone(path: str, code: str, tmp_path: Path) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(code, encoding="utf-8")
    assert violations(tmp_path) == []


def test_each_kind_of_delivery_leaves_under_a_grant() -> None:
    granted = [door for one in EXITS if one.ground is Ground.GRANT for door in one.doors]
    for kind in DeliveryKind:
        module = delivery.EXITS[kind].__module__.replace(".", "/")
        assert any(door.startswith(f"{module}.py:") for door in granted), kind


def test_every_exit_says_why() -> None:
    for one in EXITS:
        assert one.what, one
        assert one.to, one
        assert one.because, one
        assert one.doors, one
