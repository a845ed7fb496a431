"""No commit, send or acknowledgement of the code is without a hook, and each rule notices a violation planted in it."""

from pathlib import Path

import pytest

from tests.hooks import hooks_of, hooks_of_program, violations

ROOT = Path(__file__).parents[2]
PLANTS = [
    ("gateway/services/planted.py", "def f(database, name):\n    with database.write(name):\n        pass\n", "named"),
    ("gateway/services/planted.py", 'def f(core):\n    core.database.write("a.b")\n', "entered where it is named"),
    ("gateway/store/planted.py", "def f(connection):\n    connection.commit()\n", "commits past the hooks"),
    ("gateway/cli/planted.py", "def f(engine):\n    with engine.begin():\n        pass\n", "commits past the hooks"),
    ("workers/planted.py", "from sqlalchemy import create_engine\ne = create_engine('')\n", "commits past the hooks"),
    ("workers/ehr/planted.py", "def f(client, request):\n    client.send(request)\n", "without hooks"),
    ("workers/planted.py", "def f(task):\n    task.apply_async()\n", "without hooks"),
    ("dicom_node/scu/planted.py", "def f(peer):\n    peer.send_c_store('')\n", "without hooks"),
    ("dicom_node/scu/planted.py", "def f(peer):\n    return list(peer.send_c_find(1, 2))\n", "without hooks"),
    ("dicom_node/scp/planted.py", "def f(s):\n    s.send(encode_response(1, 0, ''))\n", "without hooks"),
    ("gateway/services/planted.py", "def f(sender):\n    return sender.send(b'')\n", "without hooks"),
    (
        "gateway/services/planted.py",
        'def f(sender):\n    reach("planted.before_send")\n    return sender.send(b"")\n',
        "without hooks",
    ),
    (
        "gateway/services/planted.py",
        'def f(sender):\n    reach("one.before_send")\n    sender.send(b"")\n    reach("other.after_send")\n',
        "without hooks",
    ),
    ("gateway/services/planted.py", "import httpx\nhttpx.post('https://elsewhere')\n", "httpx can send"),
    ("gateway/store/planted.py", "def f():\n    from socket import create_connection\n", "socket can send"),
    ("gateway/web/planted.py", "from urllib import request\n", "urllib.request can send"),
    ("workers/ehr/planted.py", "import urllib.request as web\n", "urllib.request can send"),
    ("gateway/cli/planted.py", "import pynetdicom.ae\n", "pynetdicom can send"),
    ("workers/planted.py", "from obstore.store import S3Store\n", "obstore can send"),
    ("dicom_node/planted.py", "import smtplib\n", "smtplib can send"),
    ("gateway/web/application.py", "def create_application():\n    return Flask('')\n", "acknowledging.register"),
]


def test_everything_that_commits_sends_or_acknowledges_has_its_hooks() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(("path", "code", "words"), PLANTS)
def test_a_planted_violation_is_caught(path: str, code: str, words: str, tmp_path: Path) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(code, encoding="utf-8")
    [violation] = violations(tmp_path)
    assert words in str(violation)
    assert str(violation).startswith(f"{path}:")


def test_what_has_its_hooks_is_left_alone(tmp_path: Path) -> None:
    code = 'def f(sender):\n    reach("x.before_send")\n    sender.send(b"")\n    reach("x.after_send")\n'
    planted = tmp_path / "gateway" / "services" / "planted.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(code, encoding="utf-8")
    assert violations(tmp_path) == []
    [hook] = hooks_of(tmp_path)
    assert hook.both == ("x.before_send", "x.after_send")


def test_each_program_passes_hooks_of_its_own_edge() -> None:
    edges = {"web": {"http", "fhir.store", "oauth.token"}, "dicom-node": {"dicom", "intake"}}
    for program, expected in edges.items():
        assert expected <= {hook.name for hook in hooks_of_program(ROOT, program)}
    working = {hook.name for hook in hooks_of_program(ROOT, "worker")}
    assert {"job.claim", "egress.grant", "reviewer", "report_to_ehr", "broker", "audit.seal"} <= working
    assert not working & {"intake", "dicom", "http"}
