"""The compose files hold to their schema and to our own rules, whatever service is added to them."""

import re
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from tests.peers.compose import BASE, CALLING_OUT, DOCKER, WITH_BUCKET, Json, compose, environment

EVERYTHING = compose(BASE, WITH_BUCKET)
SERVICES: dict[str, Json] = EVERYTHING["services"]
PROGRAMS = ("web", "dicom-node", "worker")
ONE_SHOT = ("schema", "bucket", "admin")
STORES = ("postgres", "rabbitmq", "object-store")
_FOR_ITS_SUPERUSER = 3  # superuser_reserved_connections: postgresql.org/docs/16/runtime-config-connection.html
VERSION = re.compile(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$")

every_service = pytest.mark.parametrize("name", sorted(SERVICES))


@pytest.mark.parametrize("file", [BASE, WITH_BUCKET, CALLING_OUT], ids=lambda file: file.name)
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
    assert {name for name, network in EVERYTHING["networks"].items() if not network.get("internal")} == {"outside"}
    for name in STORES:
        assert SERVICES[name]["networks"] == ["back"]


def test_only_the_balancer_has_ports_of_the_host() -> None:
    """A port of the host belongs to one container; what is scaled has none."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]
    assert all("container_name" not in service for service in SERVICES.values())


def test_only_who_is_called_from_outside_or_calls_out_can_be_reached() -> None:
    outside = {name for name in SERVICES if "outside" in SERVICES[name]["networks"]}
    assert outside == {"admin", "balancer", "worker"}
    web = compose(BASE, CALLING_OUT)["services"]["web"]
    assert set(web["networks"]) == {*SERVICES["web"]["networks"], "outside"}


def test_the_web_believes_the_balancer_and_who_calls_it_from_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every client is one address: for its rate, for the lock-out and in the audit trail."""
    trusted = _loaded(environment("web", BASE), monkeypatch).web.trusted_proxies
    balancer = SERVICES["balancer"]["networks"]["front"]["ipv4_address"]
    [front], [outside] = (EVERYTHING["networks"][name]["ipam"]["config"] for name in ("front", "outside"))
    assert set(trusted) == {f"{balancer}/32", f"{outside['gateway']}/32"}
    assert ip_address(balancer) in ip_network(front["subnet"])
    assert ip_address(balancer) not in ip_network(front["ip_range"])
    assert ip_address(outside["gateway"]) in ip_network(outside["subnet"])


def test_the_balancer_says_who_called_and_lets_nobody_else_say_so() -> None:
    parts = re.split(r"^(?=\S)", (DOCKER / "balancer.cfg").read_text(encoding="utf-8"), flags=re.M)
    [frontend] = [part for part in parts if part.startswith("frontend http")]
    lines = [line.strip() for line in frontend.splitlines()]
    assert "option forwardfor" in lines
    assert "http-request del-header Client-Cert" in lines


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


def test_programs_and_commands_have_the_same_settings() -> None:
    named = (*PROGRAMS, "admin")
    assert len({tuple(sorted(environment(name, BASE, WITH_BUCKET).items())) for name in named}) == 1


def test_commands_run_in_a_container_of_their_own_that_up_does_not_start() -> None:
    """It needs no more than the database: a restore finds no tables, and the programs are stopped."""
    admin = compose(BASE)["services"]["admin"]
    assert admin["profiles"] == ["admin"]
    assert admin["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert sorted(admin["networks"]) == sorted(SERVICES["worker"]["networks"])
    assert set(mounts("worker")) <= set(mounts("admin"))


def test_what_a_partner_asks_for_is_only_read() -> None:
    for name in ("worker", "admin"):
        assert mounts(name)["/etc/consilium/partners"]["read_only"] is True


def test_the_database_has_room_for_every_program_of_the_scale_above_and_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scale = {name: int(count) for name, count in re.findall(r"--scale ([a-z-]+)=(\d+)", BASE.read_text("utf-8"))}
    assert scale.keys() == set(PROGRAMS)
    web_processes = scale["web"] * _loaded(environment("web", BASE), monkeypatch).web.workers
    [each] = re.findall(r"`max_connections`: up to (\d+) for each", (DOCKER.parent / "docs/operations.md").read_text())
    needed = (web_processes + scale["dicom-node"] + scale["worker"] + 1) * int(each) + scale["worker"]
    [most] = re.findall(r"max_connections=(\d+)", " ".join(SERVICES["postgres"]["command"]))
    assert needed + _FOR_ITS_SUPERUSER <= int(most) < 1.2 * needed


def mounts(service: str) -> dict[str, Json]:
    """Path in the container -> the mount, in the long form."""
    listed = compose(BASE)["services"][service]["volumes"]
    return {one["target"]: one for one in listed if isinstance(one, dict)}


def _loaded(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return load_settings()
