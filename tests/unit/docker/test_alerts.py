"""The alert rules speak of metrics that the gateway has, and name commands that it understands."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from prometheus_client import generate_latest
from ruamel.yaml import YAML

from dicom_node.scp import NodeMetrics
from gateway.cli.commands import Commands
from tests.unit.gateway.web.support import World
from workers.metrics import WorkerMetrics

RULES = Path(__file__).parents[3] / "docker" / "alerts.yaml"
NAME = re.compile(r"\bconsilium_[a-z0-9_]+")
SELECTED = re.compile(r'(consilium_[a-z_]+)\{([a-z]+)=~?"')
GROUPED = re.compile(r"\b(?:by|on) \(([a-z, ]+)\)")
OF_PROMETHEUS = {"instance"}  # https://prometheus.io/docs/concepts/jobs_instances/


def rules() -> list[dict[str, Any]]:
    parsed = YAML(typ="safe").load(RULES.read_text(encoding="utf-8"))
    return [rule for group in parsed["groups"] for rule in group["rules"]]


@pytest.fixture
def world(database: Any, tmp_path: Path) -> World:
    return World(database, tmp_path)


def exported(world: World) -> dict[str, str]:
    """Name of each metric -> its type."""
    own = NodeMetrics().registry, WorkerMetrics().registry
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
    node, worker = NodeMetrics(), WorkerMetrics()
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
