"""Nothing leaves but by the exits of the table, and each rule notices a violation planted in it."""

from pathlib import Path

import pytest
from flask import Blueprint, Flask

from gateway.domain.delivery import DeliveryKind
from gateway.domain.exits import EXITS, Ground
from gateway.services import delivery
from gateway.store.engine import Database
from gateway.web.application import create_application
from gateway.web.people.desk import Desk
from tests.exits import doors_that_are_not_there, violations
from tests.people import POLICY
from tests.surface import every_command, unknown_commands, unknown_endpoints
from tests.unit.gateway.web.support import World

ROOT = Path(__file__).parents[2]
ASKED = "sending.permission.require(payload)"
PERMITTED = "before_send=partial(sending.permission.require, payload)"
LEAVE, SENT_SO = "leave = sending.permission.ask(payload)", "sender.send(b'', before_send=leave)"
SENDER, PACS, ADAPTER = "gateway/services/to_reviewer.py", "gateway/services/to_pacs.py", "dicom_node/scu/query.py"
STORED, KEYS = "gateway/services/planted.py", "gateway/key_host.py"


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
    "an answer that nobody waits for": (SENDER, _body(LEAVE, "sender.send(b'')"), "without asking"),
    "an answer for two": (
        SENDER, _body(LEAVE, "sender.send(b'', before_send=leave)", SENT_SO), "without asking"),
    "an answer for all": (SENDER, _body(LEAVE, "for one in payload:", f"    {SENT_SO}"), "without asking"),
    "an answer to something else": (SENDER, _body("leave = sending.ask(payload)", SENT_SO), "without asking"),
    "another's answer": (SENDER, _body(LEAVE, "sender.send(b'', before_send=print)"), "without asking"),
    "an object of an adapter": (
        "dicom_node/scu/sender.py", _body("peer.send_c_store(1)", of="_store(peer)"), "without before_send()"),
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
    "a library that nobody has listed": (STORED, "import dicomweb_client\n", "not listed"),
    "a part of a library": (STORED, "from concurrent import interpreters\n", "not listed"),
    "XML-RPC": (STORED, "from xmlrpc.client import ServerProxy\n", "not listed"),
    "a web socket": (STORED, "import websockets\n", "not listed"),
    "a library in the mappings": ("fhir_mappings/planted.py", "import httpx\n", "not listed"),
    "a listed library elsewhere": (STORED, "from flask import Flask\n", "not listed"),
    "a handler of logs": (STORED, "from logging.handlers import HTTPHandler\n", "not listed"),
    "a handler of logs, by its name": (
        STORED, _body("logging.handlers.HTTPHandler('host', '/')", of="f()"), "HTTPHandler runs"),
    "a shell": (STORED, _body("os.system('curl')", of="f()"), "system runs"),
    "a shell under another name": (STORED, "from os import popen as look\n", "popen runs"),
    "a shell by its text": (STORED, _body("getattr(os, 'execv')('curl', [])", of="f()"), "execv runs"),
    "a library by its text": (STORED, _body("importlib.import_module('httpx')", of="f()"), "import_module runs"),
    "a library by a builtin": (STORED, _body("__import__('httpx').get('x')", of="f()"), "__import__ runs"),
    "code by its text": (STORED, _body("exec('import httpx')", of="f()"), "exec runs"),
    "a library that is loaded already": (STORED, _body("sys.modules['httpx']", of="f()"), "modules runs"),
    "a patient to whoever has the keys": (
        KEYS, "import httpx\n" + _body("httpx.post(url, json=patient)", of="f(url, patient)"), "past the hooks"),
    "a patient by a client": (
        KEYS, "import httpx\n" + _body("self.client.put(url, json=patient)", of="f(url)"), "past the hooks"),
    "a patient in a request": (
        KEYS, "import httpx\n" + _body('client.build_request("GET", url, json=x)', of="f(x)"), "carries nothing"),
    "a post of nothing": (
        KEYS, "import httpx\n" + _body('client.build_request("POST", url)', of="f(url)"), "carries nothing"),
    "a file of a command": (
        "gateway/cli/cases.py", _body("file.write_bytes(content)", of="show(file)"), "writes a file"),
    "a file of another command of the module": (
        "gateway/cli/documents.py", _body("file.write_bytes(content)", of="show(file)"), "writes a file"),
    "a file that is opened": (STORED, _body("file.open('xb')", of="f(file)"), "writes a file"),
    "a file by the system": (STORED, _body("os.open(file, os.O_CREAT | os.O_EXCL)", of="f(file)"), "writes a file"),
    "routes of one's own": (
        "gateway/web/dicomweb/wado.py",
        "from flask import Blueprint\n" + _body("Blueprint('wado', '').add_url_rule('/wado', 'wado', f)", of="f()"),
        "lets answers out",
    ),
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
        (SENDER, _body("for one in payload:", f"    {LEAVE}", f"    {SENT_SO}")),
        (SENDER, _body(ASKED, "try:", "    status = sender.send(b'')", "finally:", "    pass")),
        (PACS, _body(f"return outside.find_study(1, {PERMITTED})", of="_the_study(outside)")),
        ("workers/ehr/client.py", _body(
            "if not call.is_about_nobody:", "    self._before_send()", "return exchange(1)", of="_send_once(self, call)"
        )),
    ],
    ids=["each object", "each object, answered later", "in a try", "a query", "a request"],
)  # fmt: skip
def test_what_asks_is_left_alone(path: str, code: str, tmp_path: Path) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(code, encoding="utf-8")
    assert violations(tmp_path) == []


def _served(database: Database, folder: Path) -> Flask:
    world = World(database, folder)
    return create_application(world.edge, Desk(world.core, POLICY, "https://gateway.example"))


def test_every_endpoint_is_an_exit_and_a_new_one_is_caught(database: Database, tmp_path: Path) -> None:
    served = _served(database, tmp_path)
    assert unknown_endpoints(served) == []
    wado, page = Blueprint("dicomweb", __name__), Blueprint("planted", __name__)
    wado.add_url_rule("/dicomweb/studies/<study>", "wado", lambda study: study)
    page.add_url_rule("/admin/patients", "patients", lambda: "")
    served.register_blueprint(wado)
    served.register_blueprint(page, name="admin_planted")
    assert unknown_endpoints(served) == ["admin_planted.patients", "dicomweb.wado"]


def test_every_command_is_an_exit_and_a_new_one_is_caught() -> None:
    assert unknown_commands(every_command()) == []
    assert unknown_commands((*every_command(), "case export")) == ["case export"]


def test_an_exit_whose_endpoint_is_gone_is_told(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path)
    without_pages = unknown_endpoints(world.application)
    assert "admin.home" in without_pages
    assert all(name.startswith(("account.", "admin.")) for name in without_pages)


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
