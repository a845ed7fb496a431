"""A bucket that is missing, away, silent or full, and what is told of it."""

import hashlib
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from gateway.domain.errors import Full, GatewayError, NotFound, Transient
from gateway.store.blobs_s3 import S3Blobs
from gateway.store.bucket import store_errors
from gateway.store.engine import Database
from tests.integration.store.buckets import s3_blobs
from tests.peers.moto import Moto, bucket_at
from tests.peers.processes import LOOPBACK, free_port


def test_a_bucket_that_is_missing_is_said_and_nothing_counts_as_lost(moto: Moto, tmp_path: Path) -> None:
    missing = s3_blobs(bucket_at(moto.endpoint, "nowhere"), tmp_path, turn=lambda _name: nullcontext())
    _everything_is_transient(missing, tmp_path, match="no such bucket")


def test_a_store_that_is_away_invites_another_try(tmp_path: Path) -> None:
    away = s3_blobs(bucket_at(f"http://{LOOPBACK}:{free_port()}", "any"), tmp_path, turn=lambda _name: nullcontext())
    _everything_is_transient(away, tmp_path, match="did not answer")


def test_a_store_that_falls_silent_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        bucket = bucket_at(f"http://{LOOPBACK}:{silent.getsockname()[1]}", "any")
        bucket = replace(bucket, response_timeout_s=0.5, max_retries=1)
        began = time.monotonic()
        with pytest.raises(Transient, match="did not answer"):
            s3_blobs(bucket, tmp_path, turn=lambda _name: nullcontext()).put(b"a study")
        assert time.monotonic() - began < 10


def _everything_is_transient(blobs: S3Blobs, folder: Path, *, match: str) -> None:
    digest, spooled = "0" * 64, folder / "spooled"
    spooled.write_bytes(b"a study")
    calls: list[Callable[[], object]] = [
        lambda: blobs.put(b"a study"),
        lambda: blobs.put(bytes(9 << 20)),
        lambda: blobs.adopt(spooled, digest),
        lambda: blobs.get(digest),
        lambda: list(blobs.stream(digest)),
        lambda: list(blobs.digests()),
        blobs.check,
        blobs.probe,
    ]
    for call in calls:
        with pytest.raises(Transient, match=match):
            call()
    assert spooled.read_bytes() == b"a study"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (GenericError("... 507 Insufficient Storage ... <Code>XMinioStorageFull</Code>"), Full),
        (PermissionDeniedError("AccessDenied for key AKIASECRET"), Transient),
        (GenericError("HTTP error: timed out"), Transient),
    ],
)
def test_a_refusal_is_told_by_its_kind_and_without_its_words(raised: Exception, kind: type[GatewayError]) -> None:
    with pytest.raises(kind) as caught, store_errors():
        raise raised
    assert "AKIASECRET" not in str(caught.value)


def test_the_key_is_not_shown(moto: Moto) -> None:
    bucket = replace(bucket_at(moto.endpoint, "any"), access_key="AKIASECRET", secret_key="hidden")
    assert not {"AKIASECRET", "hidden"} & set(repr(bucket).replace("'", " ").split())
    assert "hidden" not in repr(bucket)


def test_what_is_missing_is_missing_however_full_the_spool_is(moto: Moto, database: Database, tmp_path: Path) -> None:
    blobs = s3_blobs(moto.create_bucket(), tmp_path, turn=database.turn, min_free_bytes=1 << 62)
    nothing = hashlib.sha256(b"nothing").hexdigest()
    for read in (lambda: blobs.get(nothing), lambda: list(blobs.stream(nothing))):
        with pytest.raises(NotFound):
            read()
