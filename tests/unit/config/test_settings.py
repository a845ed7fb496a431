"""Where settings come from, which one wins, and what stops the start."""

import json
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from config.errors import UnusableSettings
from config.settings import Settings, load_settings, setting_names
from gateway.domain.work import QUEUES


@pytest.fixture(autouse=True)
def _nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings file in the working folder and no variable of the machine takes part."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONSILIUM_CONFIG", "CONSILIUM_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    yield


def names_in(text: str) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for key, value in tomllib.loads(text).items():
        found |= {(key, inner) for inner in value} if isinstance(value, dict) else {(key,)}
    return found


def shipped(name: str) -> str:
    return resources.files("config").joinpath(name).read_text(encoding="utf-8")


def test_the_example_names_every_setting_with_its_default() -> None:
    assert names_in(shipped("consilium.example.toml")) == set(setting_names())
    assert tomllib.loads(shipped("consilium.example.toml")) == tomllib.loads(shipped("defaults.toml"))


def test_the_example_explains_every_group_and_lone_setting() -> None:
    lines = shipped("consilium.example.toml").splitlines()
    for number, line in enumerate(lines):
        starts_paragraph = bool(line) and (number == 0 or not lines[number - 1])
        if starts_paragraph and not line.startswith("["):
            assert line.startswith("#"), line
        if line.startswith("["):
            assert lines[number + 1].startswith("#"), line


def test_the_example_is_a_settings_file(tmp_path: Path) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_text(shipped("consilium.example.toml"), encoding="utf-8")
    assert load_settings(copy) == load_settings()


def test_defaults_and_what_follows_from_them(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.data_dir == tmp_path / "consilium-data"
    assert settings.database_url_resolved == f"sqlite:///{tmp_path}/consilium-data/consilium.db"
    assert settings.broker_url_resolved == ""
    assert settings.blob_dir.parent == settings.spool_dir.parent == settings.data_dir
    assert settings.pseudonym_key_path == settings.data_dir / "keys" / "pseudonym.key"


def test_a_variable_wins_over_the_file_and_the_file_over_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "consilium.toml"
    file.write_text('[web]\nport = 9000\nhost = "::1"\n[log]\nlevel = "DEBUG"\n')
    monkeypatch.setenv("CONSILIUM_WEB__PORT", "9001")
    settings = load_settings()
    assert (settings.web.port, settings.web.host, settings.web.workers) == (9001, "::1", 2)
    assert settings.log.level == "DEBUG"


def test_the_file_is_the_one_given_else_the_one_the_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, port in (("consilium.toml", 1001), ("named.toml", 1002), ("given.toml", 1003)):
        (tmp_path / name).write_text(f"[web]\nport = {port}\n")
    assert load_settings().web.port == 1001
    monkeypatch.setenv("CONSILIUM_CONFIG", str(tmp_path / "named.toml"))
    assert load_settings().web.port == 1002
    assert load_settings(tmp_path / "given.toml").web.port == 1003


def test_a_named_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(UnusableSettings, match=r"missing\.toml cannot be read"):
        load_settings(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("colour = 1", "unknown setting colour"),
        ("[web]\nprt = 1", r"unknown setting web\.prt"),
        ("[printing]\ncopies = 1", "unknown setting printing"),
        ("[web]\nport = 0", r"web\.port"),
        ("[web]\nport = 'high'", r"web\.port"),
        ("[web]\nbase_url = 'ftp://x'", r"web\.base_url: must be empty or an absolute"),
        ("[dicom]\nae_title = 'A\\B'", r"dicom\.ae_title: an AE title has 1 to 16"),
        ("[dicom]\nextra_sop_classes = ['1.02']", r"dicom\.extra_sop_classes\.0: not a DICOM UID"),
        *(
            (f"[pseudonym]\nprefix = '{bad}'", r"pseudonym\.prefix: a prefix is one or two")
            for bad in ("CONS", "IL", "cs")
        ),
        ("[dicom]\nmax_associations = 1", "dicom: max_associations_per_peer is larger"),
        ("[dicom]\ntls_port = 2762", "dicom: tls_port, tls_certificate_file and tls_key_file belong together"),
        ("[dicom]\ntls_ca_file = 'ca.pem'", "dicom: tls_port, tls_certificate_file and tls_key_file belong together"),
        ("[dicom]\ntls_port = 11112", "dicom: tls_port and port are two ports"),
        ("[retry]\ncap_s = 1", "retry: cap_s is smaller"),
        ("[study]\nquiet_period_s = nan", r"study\.quiet_period_s"),
        ("[log]\nlevel = 'loud'", r"log\.level"),
        ("[worker]\nmetrics_port = 70000", r"worker\.metrics_port"),
        ("[telemetry]\notlp_endpoint = 'collector:4318'", r"telemetry\.otlp_endpoint: must be empty or an absolute"),
        ("web = ", "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(content.replace("'", '"') if "\\B" not in content else content)
    with pytest.raises(UnusableSettings, match=named):
        load_settings(file)


@pytest.mark.parametrize("name", ["CONSILIUM_COLOUR", "CONSILIUM_WEB__PRT", "CONSILIUM_WEBPORT", "consilium_web__prt"])
def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(UnusableSettings, match=f"unknown setting in the environment: {name}"):
        load_settings()


def test_a_refusal_never_shows_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_WEB__PORT", "hunter2")
    with pytest.raises(UnusableSettings) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_passwords_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "word").write_text("p@ss/word\nsecond line\n")
    monkeypatch.setenv("CONSILIUM_DATABASE_URL", "postgresql+psycopg://consilium@db.example:5432/consilium")
    monkeypatch.setenv("CONSILIUM_DATABASE_PASSWORD_FILE", str(tmp_path / "word"))
    monkeypatch.setenv("CONSILIUM_BROKER_URL", "amqp://consilium@mq.example//")
    monkeypatch.setenv("CONSILIUM_BROKER_PASSWORD_FILE", str(tmp_path / "word"))
    settings = load_settings()
    url = "postgresql+psycopg://consilium:p%40ss%2Fword@db.example:5432/consilium"
    assert settings.database_url_resolved == url
    assert settings.broker_url_resolved == "amqp://consilium:p%40ss%2Fword@mq.example//"


@pytest.mark.parametrize(("url", "word"), [("postgresql://db.example/x", "secret"), ("postgresql://me@db/x", "")])
def test_a_password_that_has_no_place_or_is_empty_is_refused(tmp_path: Path, url: str, word: str) -> None:
    (tmp_path / "word").write_text(word)
    values = load_settings().model_dump() | {"database_url": url, "database_password_file": str(tmp_path / "word")}
    with pytest.raises(UnusableSettings, match="database_password_file"):
        _ = Settings(**values).database_url_resolved


@pytest.mark.parametrize(
    "url", ["mysql://me:hunter2@db/x", "hunter2", "postgresql://", "postgresql+psycopg://me:hunter2@db:99999/x"]
)
def test_a_database_that_cannot_be_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CONSILIUM_DATABASE_URL", url)
    with pytest.raises(UnusableSettings, match="database_url: ") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_postgresql_means_the_driver_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_DATABASE_URL", "postgresql://me@db.example/consilium")
    assert load_settings().database_url_resolved == "postgresql+psycopg://me@db.example/consilium"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().web.port = 1


def test_a_worker_may_serve_some_queues_only_and_each_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().worker.queues == ()
    names = sorted(set(QUEUES.values()))
    monkeypatch.setenv("CONSILIUM_WORKER__QUEUES", json.dumps(names))
    assert list(load_settings().worker.queues) == names


def test_a_queue_that_nobody_knows_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_WORKER__QUEUES", '["deliverr"]')
    with pytest.raises(UnusableSettings, match=r"worker\.queues\.0: Input should be 'match', "):
        load_settings()


def test_a_worker_without_a_relay_needs_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_WORKER__RELAY", "false")
    with pytest.raises(
        UnusableSettings, match=r"the environment: worker\.relay is needed where there is no broker_url"
    ):
        load_settings()
    monkeypatch.setenv("CONSILIUM_BROKER_URL", "amqp://broker.example//")
    assert not load_settings().worker.relay


def test_every_setting_is_spelt_alike_as_long_as_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings().spelt
    assert list(before) == [".".join(path) for path in setting_names()]
    assert load_settings().spelt == before
    monkeypatch.setenv("CONSILIUM_OIDC__ROLES", '{"board": "reviewer:board"}')
    after = load_settings().spelt
    assert {name for name in before if before[name] != after[name]} == {"oidc.roles"}
    assert after["oidc.roles"] == '{"board": "reviewer:board"}'


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("", None),
        ("amqp://mq.example//", ("mq.example", 5672)),
        ("amqps://consilium@mq.example//", ("mq.example", 5671)),
        ("amqps://mq.example:5673//", ("mq.example", 5673)),
    ],
)
def test_the_brokers_port_goes_with_its_scheme(
    monkeypatch: pytest.MonkeyPatch, url: str, address: tuple[str, int] | None
) -> None:
    monkeypatch.setenv("CONSILIUM_BROKER_URL", url)
    assert load_settings().broker_address == address


@pytest.mark.parametrize(
    "url", ["redis://me:hunter2@mq.example", "hunter2", "amqp:///", "amqp://me:hunter2@mq:99999//"]
)
def test_a_broker_that_cannot_be_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CONSILIUM_BROKER_URL", url)
    with pytest.raises(UnusableSettings, match="broker_url: ") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
