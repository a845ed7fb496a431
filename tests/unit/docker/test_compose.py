"""The compose files hold to their schema and to our own rules, whatever service is added to them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from tests.peers.compose import BASE, DOCKER, WITH_BUCKET, Json, compose, environment

EVERYTHING = compose(BASE, WITH_BUCKET)
SERVICES: dict[str, Json] = EVERYTHING["services"]
PROGRAMS = ("web", "dicom-node", "worker")
ONE_SHOT = ("schema", "bucket")
STORES = ("postgres", "rabbitmq", "object-store")
VERSION = re.compile(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$")

every_service = pytest.mark.parametrize("name", sorted(SERVICES))


@pytest.mark.parametrize("file", [BASE, WITH_BUCKET], ids=lambda file: file.name)
def test_the_file_is_as_the_compose_specification_wants_it(file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@every_service
def test_it_runs_without_rights_and_writes_only_where_it_may(name: str) -> None:
    service = SERVICES[name]
    user, _, group = str(service["user"]).partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert all("size=" in mount for mount in service["tmpfs"])


@every_service
def test_it_is_bounded_in_processor_memory_processes_and_log(name: str) -> None:
    assert {"cpus", "memory", "pids"} <= SERVICES[name]["deploy"]["resources"]["limits"].keys()
    assert {"max-size", "max-file"} <= SERVICES[name]["logging"]["options"].keys()


@every_service
def test_its_health_is_looked_at_unless_it_only_runs_once(name: str) -> None:
    health = SERVICES[name]["healthcheck"]
    if name in ONE_SHOT:
        assert health == {"disable": True}
        return
    assert health["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout"} <= health.keys()


@every_service
def test_its_image_has_a_version(name: str) -> None:
    assert VERSION.search(SERVICES[name]["image"]), SERVICES[name]["image"]


def test_what_our_image_is_made_from_has_a_version() -> None:
    [image] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), re.M)
    assert re.search(r":3\.11\.\d+-slim-bookworm$", image)


def test_the_image_s_version_is_the_gateway_s() -> None:
    project = (DOCKER.parent / "pyproject.toml").read_text(encoding="utf-8")
    [version] = re.findall(r'^version = "(.+)"$', project, re.M)
    assert SERVICES["web"]["image"] == f"consilium-gateway:{version}"


@every_service
def test_no_secret_is_in_the_file_and_none_is_mounted_that_is_not_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", ())) <= EVERYTHING["secrets"].keys()
    for variable, value in service.get("environment", {}).items():
        assert "PASSWORD" not in variable or variable.endswith("_FILE")
        assert not re.search(r"//[^/@]+:[^/@]+@", str(value)), f"{variable} holds a password"


def test_secrets_are_files_that_stay_out_of_the_repository() -> None:
    assert all(set(secret) == {"file"} for secret in EVERYTHING["secrets"].values())
    ignored = (DOCKER.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "/docker/secrets/" in ignored


def test_database_broker_and_objects_are_on_a_network_without_a_way_out() -> None:
    assert EVERYTHING["networks"]["back"] == {"internal": True}
    for name in STORES:
        assert SERVICES[name]["networks"] == ["back"]


def test_only_the_balancer_has_ports_of_the_host() -> None:
    """A port of the host belongs to one container; what is scaled has none."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]
    assert all("container_name" not in service for service in SERVICES.values())


def test_only_who_is_called_from_outside_or_calls_out_can_be_reached() -> None:
    assert sorted(name for name in SERVICES if "outside" in SERVICES[name]["networks"]) == ["balancer", "worker"]


def test_the_database_answers_a_commit_only_when_it_is_on_the_disk() -> None:
    assert "synchronous_commit=on" in SERVICES["postgres"]["command"]
    assert "--data-checksums" in SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_programs_start_with_these_settings(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = _loaded(environment(name, BASE, WITH_BUCKET), monkeypatch)
    assert settings.blobs.bucket == "consilium"
    mounted = {f"/run/secrets/{secret}" for secret in SERVICES[name]["secrets"]}
    assert {settings.database_password_file, settings.broker_password_file, settings.pseudonym.key_file} < mounted
    assert {settings.blobs.access_key_file, settings.blobs.secret_key_file} < mounted
    assert settings.dicom.host == settings.web.host == "0.0.0.0"


def test_all_three_have_the_same_settings() -> None:
    assert len({tuple(sorted(environment(name, BASE, WITH_BUCKET).items())) for name in PROGRAMS}) == 1


def _loaded(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return load_settings()
