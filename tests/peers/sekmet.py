"""SEKMET, a FHIR R4 server that nobody here wrote, as the clinic's EHR.

It stores what it is given, checks little beyond the structure, and offers conditional create and versions.
It is the distribution `sekmet-fhir`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.peers.processes import LOOPBACK, DataFolder, Peer, PeerFailure, Process, free_port

FHIR_JSON = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
_REQUEST_TIMEOUT_S = 30


class Sekmet(Peer):
    """A private server on a free port with its own database; no authentication, no simulated departments."""

    def __init__(self, *, folder: Path | None = None) -> None:
        self.port = free_port()
        self.base_url = f"http://{LOOPBACK}:{self.port}/fhir"
        self._folder = DataFolder(folder)
        self._http = httpx.Client(timeout=_REQUEST_TIMEOUT_S, trust_env=False, headers=FHIR_JSON)
        settings = self._folder.path / "settings.yaml"
        settings.write_text(json.dumps(self._settings()), encoding="utf-8")  # JSON is YAML
        command = (sys.executable, "-m", "sekmet.cli", "serve", "--config", str(settings))
        self.process = Process("sekmet", command, folder=self._folder.path)

    def stop(self) -> None:
        """Stop the process; the data stay until `close`."""
        self.process.stop()

    def close(self) -> None:
        """Stop, and remove the data folder if it was a temporary one."""
        self.stop()
        self._http.close()
        self._folder.remove()

    def create(self, resource: dict[str, Any]) -> dict[str, Any]:
        """POST a resource; gives it back as stored, with its id."""
        return self._request("POST", f"/{resource['resourceType']}", json=resource)

    def read(self, resource_type: str, resource_id: str) -> dict[str, Any]:
        """One resource in its present version."""
        return self._request("GET", f"/{resource_type}/{resource_id}")

    def search(self, resource_type: str, **parameters: str) -> list[dict[str, Any]]:
        """Every match of every page; `_` in a parameter's name stands for `-` except at its start."""
        query = {name[0] + name[1:].replace("_", "-"): value for name, value in parameters.items()}
        bundle = self._request("GET", f"/{resource_type}", params=query)
        found = _matches(bundle)
        while following := _next_page(bundle):
            bundle = self._request("GET", following)
            found += _matches(bundle)
        return found

    def _request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        url = path if path.startswith("http") else self.base_url + path
        answer = self._http.request(method, url, **arguments)
        if answer.is_error:
            raise PeerFailure(f"SEKMET answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        body: dict[str, Any] = answer.json()
        return body

    def _is_ready(self) -> bool:
        try:
            return self._http.get(f"{self.base_url}/metadata").is_success
        except httpx.TransportError:
            return False

    def _settings(self) -> dict[str, Any]:
        return {
            "base_url": self.base_url,
            "host": LOOPBACK,
            "port": self.port,
            "data_dir": str(self._folder.path / "data"),
            "simulator": {"enabled": False},
        }


def _matches(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["resource"] for each in bundle.get("entry", []) if each.get("search", {}).get("mode") != "include"]


def _next_page(bundle: dict[str, Any]) -> str | None:
    return next((link["url"] for link in bundle.get("link", []) if link["relation"] == "next"), None)
