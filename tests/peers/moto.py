"""An S3-speaking server, moto's, as a process of its own (https://docs.getmoto.org/en/latest/docs/server_mode.html)."""

import sys
from pathlib import Path
from uuid import uuid4

import httpx

from gateway.store.bucket import Bucket
from tests.peers.processes import LOOPBACK, DataFolder, Peer, Process, free_port

_MOTO = Path(sys.executable).with_name("moto_server")


class Moto(Peer):
    """Everything is in its memory: a stopped server has forgotten all."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = DataFolder(None)
        command = (str(_MOTO), "-H", LOOPBACK, "-p", str(self.port))
        self.process = Process("moto", command, folder=self._folder.path)

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def create_bucket(self) -> Bucket:
        """A new one, and how it is reached."""
        name = f"test-{uuid4().hex}"
        httpx.put(f"{self.endpoint}/{name}", timeout=10).raise_for_status()
        return bucket_at(self.endpoint, name)

    def close(self) -> None:
        self.process.kill()
        self._folder.remove()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.endpoint}/moto-api/", timeout=2).is_success
        except httpx.TransportError:
            return False


def bucket_at(endpoint: str, name: str) -> Bucket:
    """A bucket whose answers are waited for only shortly."""
    return Bucket(
        name=name,
        prefix="consilium",
        endpoint=endpoint,
        region="us-east-1",
        is_path_style=True,
        access_key="key",
        secret_key="secret",
        connect_timeout_s=1,
        response_timeout_s=5,
        max_retries=1,
        retry_s=5,
    )
