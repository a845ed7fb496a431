"""`consilium client`: how clients are registered, and what is shown of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.client_keys import ec_key, key_set, rsa_key

PARTY = ("--identifier", "urn:oid:1.2.3|ankara", "--country", "TR", "--time-zone", "Europe/Istanbul")


@pytest.fixture
def folder(tmp_path: Path, empty_database_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway with a clinic."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "consilium.db").write_bytes(empty_database_file.read_bytes())
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(data))
    run("clinic", "add", "ankara", *PARTY)
    return tmp_path


def run(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    return result


def shown(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").output)


def written(folder: Path, content: bytes) -> str:
    path = folder / "keys.json"
    path.write_bytes(content)
    return str(path)


def test_a_secret_is_shown_when_it_is_made_and_never_again(folder: Path) -> None:
    first = shown("client", "add", "ankara", "--id", "ehr")
    assert (first["methods"], first["scope"]) == (["secret"], "system/*.crus")
    second = shown("client", "rotate-secret", "ehr")
    assert second["client_secret"] != first["client_secret"]
    pages = [run("client", "show", "ehr").output, run("client", "list").output, run("client", "keys", "ehr").output]
    pages += [run("client", command, *of, "--json").output for command, of in (("show", ("ehr",)), ("list", ()))]
    for secret in (first["client_secret"], second["client_secret"]):
        assert not any(secret in page for page in pages)
    assert "sha256" not in "".join(pages)


def test_a_client_is_registered_for_something_else(folder: Path) -> None:
    run("client", "add", "ankara", "--id", "ehr")
    assert "system/Task.rs" in run("client", "scopes", "ehr", "--scope", "system/Task.read").output
    assert shown("client", "show", "ehr")["client"]["scope"] == "system/Task.rs"
    run("client", "scopes", "ehr", "--scope", "system/Task.rs", exit_code=1)
    run("client", "scopes", "nobody", "--scope", "system/Task.rs", exit_code=1)
    run("client", "scopes", "ehr", "--scope", "user/Task.rs", exit_code=1)
    run("client", "revoke", "ehr")
    run("client", "scopes", "ehr", "--scope", "system/Task.r", exit_code=1)


def test_a_reviewer_begins_to_work_somewhere_and_ends(folder: Path) -> None:
    of = ("--identifier", "urn:oid:1.2.3|board", "--country", "TR", "--time-zone", "Europe/Istanbul")
    run("reviewer", "add", "board", *of)
    run("reviewer", "organization", "add", "board", "urn:oid:1.2.3|hospital")
    assert "urn:oid:1.2.3|hospital" in run("reviewer", "show", "board").output
    run("reviewer", "organization", "remove", "board", "urn:oid:1.2.3|hospital")
    assert "hospital" not in run("reviewer", "show", "board").output


def test_a_client_with_keys_has_no_secret(folder: Path) -> None:
    keys = written(folder, key_set(ec_key()))
    made = shown("client", "add", "ankara", "--id", "ehr", "--jwks", keys, "--scope", "system/Task.read")
    assert made == {"client_id": "ehr", "party": "ankara", "methods": ["key"], "scope": "system/Task.rs"}
    [line] = shown("client", "list")
    assert (line["methods"], line["scope"], line["revoked_at"]) == (["key"], "system/Task.rs", None)
    [key] = shown("client", "keys", "ehr")
    assert (key["kid"], key["kind"], key["thumbprint"]) == ("ec-1", "EC", ec_key().thumbprint())
    written(folder, key_set(rsa_key()))
    assert [key["kid"] for key in shown("client", "keys", "ehr", "--jwks", keys)] == ["rsa-1"]
    assert "rsa-1" in run("client", "show", "ehr").output


def test_it_may_have_several_means(folder: Path) -> None:
    published = ("--jwks-url", "https://ehr.example/keys", "--certificate-name", "ehr.example")
    made = shown("client", "add", "ankara", "--id", "ehr", *published, "--with-secret")
    assert made["methods"] == ["secret", "key", "certificate"]
    page = shown("client", "show", "ehr")
    assert (page["jwks_url"], page["certificate_name"], page["keys"]) == (published[1], "ehr.example", [])
    assert "https://ehr.example/keys" in run("client", "show", "ehr").output


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (json.dumps({"keys": [ec_key().as_dict(private=True)]}).encode(), "private"),
        (b"-----BEGIN PRIVATE KEY-----", "JSON"),
        (b" " * 1_100_000, "too long"),
    ],
    ids=["private", "PEM", "long"],
)
def test_keys_that_must_not_be_here_are_refused_unshown(folder: Path, content: bytes, word: str) -> None:
    result = run("client", "add", "ankara", "--jwks", written(folder, content), exit_code=1)
    assert word in result.output
    assert str(ec_key().as_dict(private=True)["d"]) not in result.output
    assert shown("client", "list") == []
