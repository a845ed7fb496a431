"""What docker/compose*.yaml say, merged as Compose merges them, for tests that start the same programs without it.

Merging: https://docs.docker.com/reference/compose-file/merge/
"""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DOCKER = Path(__file__).parents[2] / "docker"
BASE, WITH_BUCKET = DOCKER / "compose.yaml", DOCKER / "compose.s3.yaml"
CALLING_OUT = DOCKER / "compose.outbound.yaml"
Json = dict[str, Any]


def compose(*files: Path) -> Json:
    """The files, each over the one before: mappings are merged, lists joined, what else differs is replaced."""
    merged: Json = {}
    for file in files:
        merged = _over(merged, YAML(typ="safe", pure=True).load(file))
    return merged


def environment(service: str, *files: Path) -> dict[str, str]:
    """The variables that the service is started with."""
    return dict(compose(*files)["services"][service]["environment"])


def _over(below: Json, above: Json) -> Json:
    merged = dict(below)
    for key, value in above.items():
        found = merged.get(key)
        if isinstance(found, dict) and isinstance(value, dict):
            merged[key] = _over(found, value)
        elif isinstance(found, list) and isinstance(value, list):
            merged[key] = [*found, *(one for one in value if one not in found)]
        else:
            merged[key] = value
    return merged
