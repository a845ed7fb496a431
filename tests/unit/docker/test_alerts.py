"""The alert rules speak of metrics that the gateway has, and name commands that it understands."""

import ast
import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from prometheus_client import generate_latest
from ruamel.yaml import YAML

from dicom_node import status
from dicom_node.scp import NodeMetrics, negotiation, storing
from dicom_node.scp.metrics import TOO_MANY_CONNECTIONS
from gateway.cli.commands import Commands
from gateway.disk_figures import DiskFigures
from gateway.domain import errors
from tests.unit.gateway.web.support import World
from workers.metrics import WorkerMetrics

RULES = Path(__file__).parents[3] / "docker" / "alerts.yaml"
NAME = re.compile(r"\bconsilium_[a-z0-9_]+")
SELECTED = re.compile(r'(consilium_[a-z_]+)\{([a-z]+)=~?"')
STATUSES = re.compile(r'consilium_dicom_objects_total\{status=~"([^"]+)"\}')
GROUPED = re.compile(r"\b(?:by|on) \(([a-z, ]+)\)")
DISK = DiskFigures(Path(), 1)
OF_PROMETHEUS = {"instance"}  # https://prometheus.io/docs/concepts/jobs_instances/


def rules() -> list[dict[str, Any]]:
    parsed = YAML(typ="safe").load(RULES.read_text(encoding="utf-8"))
    return [rule for group in parsed["groups"] for rule in group["rules"]]


@pytest.fixture
def world(database: Any, tmp_path: Path) -> World:
    return World(database, tmp_path)


def exported(world: World) -> dict[str, str]:
    """Name of each metric -> its type."""
    own = NodeMetrics(DISK).registry, WorkerMetrics(DISK).registry
    texts = [world.http.get("/metrics").text, *(generate_latest(registry).decode() for registry in own)]
    found = re.findall(r"^# TYPE (\S+) (\w+)$", "\n".join(texts), re.MULTILINE)
    return {name: kind for name, kind in found if not name.endswith("_created")}


def test_every_metric_in_a_rule_is_one_that_is_exported(world: World) -> None:
    used = {name for rule in rules() for name in NAME.findall(rule["expr"])}
    assert used
    assert used <= exported(world).keys()


def test_what_is_counted_up_is_asked_for_its_increase(world: World) -> None:
    counters = {name for name, kind in exported(world).items() if kind == "counter"}
    asked = {name: rule["expr"] for rule in rules() for name in NAME.findall(rule["expr"]) if name in counters}
    assert asked
    assert all(f"increase({name}" in expression for name, expression in asked.items())


@pytest.mark.parametrize("metrics", [NodeMetrics(DISK), WorkerMetrics(DISK)], ids=["node", "worker"])
def test_a_program_shows_the_disk_that_it_writes_to(metrics: NodeMetrics | WorkerMetrics) -> None:
    shown = metrics.registry.get_sample_value
    assert (shown("consilium_disk_free_bytes", {"disk": "data"}) or 0) > 0
    assert shown("consilium_disk_reserve_bytes", {"disk": "data"}) == 1


def test_no_machine_s_disk_hides_that_of_another() -> None:
    of_disks = [rule["expr"] for rule in rules() if "consilium_disk" in rule["expr"]]
    assert of_disks
    assert all("(instance, disk)" in expression for expression in of_disks)


def test_a_failing_status_that_we_can_give_is_watched_and_no_other() -> None:
    """Prometheus anchors its expressions: https://prometheus.io/docs/prometheus/latest/querying/basics/"""
    ours = {f"0x{one:04X}" for one in status.STORE_ANSWERS - {status.SUCCESS}}
    alternatives = [one for rule in rules() for found in STATUSES.findall(rule["expr"]) for one in found.split("|")]
    matched = [given for one in alternatives for given in ours if re.fullmatch(one, given)]
    assert all(any(re.fullmatch(one, given) for given in ours) for one in alternatives)
    assert sorted(matched) == sorted(ours)


def test_the_answers_are_those_that_the_receiver_gives() -> None:
    """By name in storing.py, or for an error that was raised."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(storing))) if isinstance(node, ast.Call)]
    outcomes = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Outcome"]
    named = {getattr(status, given.id) for given in outcomes if isinstance(given, ast.Name)}
    answered = {ast.unparse(given) for given in outcomes if not isinstance(given, ast.Name)}
    assert answered == {"answer_to_store(exc)"}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = {status.answer_to_store(kind("")) for kind in [*kinds, status.SopClassMismatch]}
    assert named | raised == status.STORE_ANSWERS


def test_the_first_refusal_is_an_increase() -> None:
    """A series that begins with its first refusal had no value before it, and `increase` sees none."""
    node = NodeMetrics(DISK)
    for answer in status.STORE_ANSWERS:
        assert node.registry.get_sample_value("consilium_dicom_objects_total", {"status": f"0x{answer:04X}"}) == 0
    rejections = [one.reason for one in vars(negotiation).values() if isinstance(one, negotiation.Rejection)]
    for reason in [TOO_MANY_CONNECTIONS, *rejections]:
        assert node.registry.get_sample_value("consilium_dicom_associations_rejected_total", {"reason": reason}) == 0


def test_each_rule_says_what_is_wrong_and_how_urgent_it_is() -> None:
    for rule in rules():
        assert NAME.search(rule["expr"]), rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]


def test_each_remedy_is_a_command_with_options_that_exist() -> None:
    for rule in rules():
        program, *words = shlex.split(rule["annotations"]["remedy"])
        assert program == "consilium"
        command: click.Command = Commands(name="consilium")
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, rule["annotations"]["remedy"]
            command = found
        command.make_context(command.name, words)  # parses them, and raises for what it does not know


def test_a_label_in_an_expression_or_a_sentence_belongs_to_its_metric(world: World) -> None:
    labels = _labels(world)
    for rule in rules():
        [*names] = NAME.findall(rule["expr"])
        known = set.intersection(*(labels[name] for name in names)) | OF_PROMETHEUS
        wanted = {label for _, label in SELECTED.findall(rule["expr"])}
        wanted |= {label.strip() for group in GROUPED.findall(rule["expr"]) for label in group.split(",")}
        wanted |= set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert wanted <= known, rule["alert"]


def _labels(world: World) -> dict[str, set[str]]:
    """Metric -> its labels, from figures in which each metric has a sample."""
    node, worker = NodeMetrics(DISK), WorkerMetrics(DISK)
    node.rejected("calling AE title not recognised")
    node.answered(0xA700, 0.1)
    texts = [world.http.get("/metrics").text, generate_latest(node.registry).decode()]
    texts.append(generate_latest(worker.registry).decode())
    found = {name: set[str]() for name in exported(world)}
    for name, inside in re.findall(r"^(consilium_\w+)(?:\{(.*)\})? ", "\n".join(texts), re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
    return found | {  # what a gateway without any work shows no sample of
        "consilium_deliveries": {"kind", "state"},
        "consilium_quarantine_open": {"kind"},
        "consilium_destination_breaker_state": {"destination"},
        "consilium_destination_oldest_waiting_seconds": {"destination"},
    }
