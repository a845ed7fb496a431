"""Orthanc, started from the system's package: the hospital's PACS and the reviewer's node.

REST API: https://orthanc.uclouvain.be/book/users/rest.html
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from gateway.domain.party import DicomAddress
from tests.peers.processes import LOOPBACK, DataFolder, Peer, PeerFailure, Process, free_port, is_listening

_REQUEST_TIMEOUT_S = 60


class Orthanc(Peer):
    """A private Orthanc on two free ports. Accepts anything from anybody, as Orthanc does.

    `options` are merged over the configuration written here (the names are those of Orthanc's own file).
    """

    def __init__(
        self, ae_title: str = "ORTHANC", *, folder: Path | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        self.ae_title = ae_title
        self.dicom_port = free_port()
        self.http_port = free_port()
        self._folder = DataFolder(folder)
        self._options = dict(options or {})
        self._http = httpx.Client(base_url=self.url, timeout=_REQUEST_TIMEOUT_S, trust_env=False)
        configuration = self._folder.path / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration(), indent=1), encoding="utf-8")
        self.process = Process(f"orthanc-{ae_title.lower()}", (_binary(), str(configuration)), folder=self._folder.path)

    @property
    def url(self) -> str:
        """Root of the REST API."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def address(self) -> DicomAddress:
        """Where its DICOM node listens."""
        return DicomAddress(self.ae_title, LOOPBACK, self.dicom_port)

    def stop(self) -> None:
        """Stop the process; the data stay until `close`."""
        self.process.stop()

    def close(self) -> None:
        """Stop, and remove the data folder if it was a temporary one.

        An orderly end takes Orthanc 3.5 s; one whose data are thrown away is not asked for it.
        """
        if self._folder.is_temporary:
            self.process.kill()
        self.stop()
        self._http.close()
        self._folder.remove()

    def add_modality(self, name: str, ae_title: str, host: str, port: int) -> None:
        """Make another DICOM node known under `name`, for `store_to` and as a C-MOVE destination."""
        self._request("PUT", f"/modalities/{name}", json={"AET": ae_title, "Host": host, "Port": port})

    def echo(self, modality: str) -> bool:
        """Whether the modality answers a C-ECHO of this Orthanc."""
        return self._http.post(f"/modalities/{modality}/echo", json={"Timeout": 10}).is_success

    def upload(self, part10: bytes) -> str:
        """Store one DICOM file over HTTP; gives Orthanc's id of the instance."""
        return str(self._request("POST", "/instances", content=part10).json()["ID"])

    def store_to(self, modality: str, study_instance_uid: str) -> dict[str, Any]:
        """Send a study by C-STORE and wait for the end; gives Orthanc's summary (InstancesCount and others).

        Raises:
            PeerFailure: the study is not here, or the modality refused an instance or the association.
        """
        found = self.find_study(study_instance_uid)
        if found is None:
            raise PeerFailure("the study to send is not in this Orthanc")
        order = {"Resources": [found["ID"]], "Synchronous": True}
        summary: dict[str, Any] = self._request("POST", f"/modalities/{modality}/store", json=order).json()
        if summary.get("FailedInstancesCount"):
            raise PeerFailure(f"{summary['FailedInstancesCount']} instances were not stored")
        return summary

    def find_study(self, study_instance_uid: str) -> dict[str, Any] | None:
        """Orthanc's description of the study (ID, MainDicomTags, PatientMainDicomTags, Series), or None."""
        query = {"Level": "Study", "Query": {"StudyInstanceUID": study_instance_uid}, "Expand": True}
        found: list[dict[str, Any]] = self._request("POST", "/tools/find", json=query).json()
        return found[0] if found else None

    def studies(self) -> list[str]:
        """The Study Instance UIDs of all it holds."""
        described = self._request("GET", "/studies", params={"expand": ""}).json()
        return [study["MainDicomTags"]["StudyInstanceUID"] for study in described]

    def instances(self) -> list[str]:
        """Orthanc's ids of all the instances it holds."""
        return list(self._request("GET", "/instances").json())

    def dicom_files(self) -> list[bytes]:
        """The Part 10 bytes of all instances, as stored."""
        return [self._request("GET", f"/instances/{each}/file").content for each in self.instances()]

    def clear(self) -> None:
        """Forget every patient, so that one Orthanc can serve several tests."""
        for patient in self._request("GET", "/patients").json():
            self._request("DELETE", f"/patients/{patient}")

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = self._http.request(method, path, **arguments)
        if answer.is_error:
            raise PeerFailure(f"Orthanc answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/system").is_success and is_listening(self.dicom_port)
        except httpx.TransportError:
            return False

    def _configuration(self) -> dict[str, Any]:
        data = str(self._folder.path / "data")
        return {
            "Name": self.ae_title,
            "StorageDirectory": data,
            "IndexDirectory": data,
            "Plugins": [],
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": self.ae_title,
            "DicomPort": self.dicom_port,
            "DefaultEncoding": "Utf8",
            "UnknownSopClassAccepted": True,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomCheckModalityHost": False,
            "DicomScuTimeout": 30,
            "OverwriteInstances": False,
            "StableAge": 1,
            "SaveJobs": False,
            **self._options,
        }


def _binary() -> str:
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise PeerFailure("Orthanc is not installed: run tools/system-packages.sh test")
    return found
