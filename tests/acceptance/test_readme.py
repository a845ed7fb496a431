"""A stranger with only the README reaches the end of the journey: its shell blocks are run as they stand."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.processes import free_port

ROOT = Path(__file__).parents[2]
PORTS = ("8080", "11112", "9090", "10400", "11200")
TIMEOUT_S = 400


@pytest.mark.timeout(430)
def test_the_readme_leads_to_the_end_of_the_journey(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    script = "set -eu\n" + "\n".join(blocks)
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    settings = tmp_path / "docs" / "examples" / "dcmqrscp.cfg"
    ports = {standard: str(free_port()) for standard in PORTS}
    for standard, free in ports.items():
        script = script.replace(standard, free)
        settings.write_text(settings.read_text().replace(standard, free))
    own = {"CONSILIUM_WEB__PORT": ports["8080"], "CONSILIUM_DICOM__PORT": ports["11112"], "CONSILIUM_WEB__WORKERS": "1"}
    output = _run(script, tmp_path, own)

    trial = tmp_path / "trial"
    returned = json.loads((trial / "returned.json").read_text())
    assert [entry["resource"]["status"] for entry in returned["entry"]] == ["final"], output
    assert "[DOC" in output, "the PACS has a series with the report"
    assert "Öztürk" not in "".join(_texts(trial / "reviewer"))
    assert "report version 1 rendered" in output


def _run(script: str, folder: Path, settings: dict[str, str]) -> str:
    """What the script printed; everything it started is stopped."""
    log = folder / "script.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=os.environ | settings,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    output = log.read_text(encoding="utf-8", errors="replace")
    assert code == 0, output[-6000:]
    return output


def _texts(folder: Path) -> list[str]:
    return [path.read_bytes().decode("utf-8", "replace") for path in folder.iterdir()]
