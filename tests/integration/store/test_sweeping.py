"""What nobody can come back for goes, and nothing that a row refers to or will refer to."""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.services.intake import receive
from gateway.services.sweeping import Swept, sweep
from gateway.store import studies
from gateway.store.blobs import BlobDirectory
from gateway.store.tables import blob_columns, metadata
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.peers.processes import wait_until

HOUR = timedelta(hours=1)
OTHER_DIGESTS = {  # of what is no blob
    "access_token.certificate_sha256",
    "access_token.token_sha256",
    "audit_seal.sha256",
    "consent_authority.performers_sha256",
    "decision.payload_sha256",
    "delivery.payload_sha256",
    "destruction.sha256",
    "egress_grant.payload_sha256",
    "oauth_client.secret_sha256",
    "person.enrolment_sha256",
    "person_device.token_sha256",
    "person_session.token_sha256",
    "read_grant.payload_sha256",
    "recovery_code.code_sha256",
    "report.content_sha256",
    "resource_version.sha256",
    "sign_in_failure.subject_sha256",
    "used_assertion.jti_sha256",
}
NOTHING = Swept(blobs=0, partial_blobs=0, spool_files=0)


def _sweep(stage: Stage) -> Swept:
    return sweep(stage.core, stage.spool, min_age=HOUR)


def _directory(stage: Stage) -> BlobDirectory:
    assert isinstance(stage.core.blobs, BlobDirectory)
    return stage.core.blobs


def _put_long_ago(stage: Stage, content: bytes) -> str:
    digest = stage.core.blobs.put(content)
    _make_old(_directory(stage).path(digest))
    return digest


def _make_old(path: Path) -> None:
    long_ago = path.stat().st_mtime - 2 * HOUR.total_seconds()
    os.utime(path, (long_ago, long_ago))


def _received(stage: Stage) -> str:
    """The blob of an object that arrived long ago."""
    [ds] = ct_series(slices=1)
    arrival = stage.arrival(ds)
    receive(stage.core, arrival)
    _make_old(_directory(stage).path(arrival.blob_sha256))
    return arrival.blob_sha256


def test_every_digest_in_the_schema_is_that_of_a_blob_or_known_not_to_be() -> None:
    digests = {str(column) for table in metadata.sorted_tables for column in table.columns if "sha256" in column.name}
    assert digests - {str(column) for column in blob_columns()} == OTHER_DIGESTS


def test_old_leftovers_go_and_young_ones_stay(stage: Stage) -> None:
    kept = [_received(stage) for _ in range(3)]
    orphans = [_put_long_ago(stage, bytes([number])) for number in range(3)]
    young = stage.core.blobs.put(b"young")
    partial, spooled = _directory(stage).partial_folder / "half", stage.spool / "node-1" / "object.dcm"
    spooled.parent.mkdir()
    lock = spooled.with_name("lock")
    for path in (partial, spooled, lock):
        path.write_bytes(b"half")
        _make_old(path)
    growing = spooled.with_name("growing.dcm")
    growing.write_bytes(b"half")

    assert _sweep(stage) == Swept(blobs=3, partial_blobs=1, spool_files=1)
    assert list(stage.core.blobs.digests()) == sorted([*kept, young])
    assert not any(_directory(stage).path(digest).exists() for digest in orphans)
    assert [partial.exists(), spooled.exists(), lock.exists(), growing.exists()] == [False, False, True, True]
    assert _sweep(stage) == NOTHING


def test_a_database_that_refers_to_nothing_is_taken_for_the_wrong_one(stage: Stage) -> None:
    digest = _put_long_ago(stage, b"of another database")
    assert _sweep(stage) == NOTHING
    assert _directory(stage).path(digest).exists()


class Interrupted(BlobDirectory):
    """Does something else between the look at the rows and the removal of a blob."""

    meanwhile: Callable[[], object]

    def remove_stale(self, digest: str, *, before_s: float) -> bool:
        self.meanwhile()
        return super().remove_stale(digest, before_s=before_s)


@pytest.fixture
def interrupted(stage: Stage) -> Interrupted:
    blobs = Interrupted(_directory(stage).partial_folder.parent)
    stage.core = replace(stage.core, blobs=blobs)
    return blobs


def test_an_orphan_that_an_intake_adopts_meanwhile_stays(stage: Stage, interrupted: Interrupted) -> None:
    _received(stage)
    [ds] = ct_series(slices=1)
    first = stage.arrival(ds)
    interrupted.adopt(first.path, first.blob_sha256)  # and its transaction failed
    _make_old(interrupted.path(first.blob_sha256))
    again = stage.arrival(ds)
    interrupted.meanwhile = lambda: receive(stage.core, again)

    assert _sweep(stage) == NOTHING
    with stage.core.database.read() as connection:
        [kept] = studies.same_sop_instance(connection, stage.pacs.party_id, again.header.sop_instance_uid)
    assert interrupted.get(kept.blob_sha256)


def test_an_orphan_that_is_put_again_and_not_yet_referred_to_stays(stage: Stage, interrupted: Interrupted) -> None:
    _received(stage)
    digest = _put_long_ago(stage, b"a document")
    interrupted.meanwhile = lambda: interrupted.put(b"a document")
    assert _sweep(stage) == NOTHING
    assert interrupted.get(digest) == b"a document"


def test_whoever_stores_while_a_blob_is_being_removed_waits_and_stores_it_anew(stage: Stage) -> None:
    blobs = _directory(stage)
    digest = _put_long_ago(stage, b"a document")
    storing = threading.Thread(target=blobs.put, args=[b"a document"])
    with _locked(blobs.partial_folder.parent) as is_waited_for:
        storing.start()
        wait_until(is_waited_for, timeout_s=10, waiting_for="the other thread to wait for the lock")
        blobs.path(digest).unlink()
    storing.join(timeout=10)
    assert blobs.get(digest) == b"a document"


@contextmanager
def _locked(folder: Path) -> Iterator[Callable[[], bool]]:
    """The folder's lock, and whether somebody waits for it (proc(5), /proc/locks)."""
    descriptor = os.open(folder, os.O_RDONLY)
    inode = f":{os.fstat(descriptor).st_ino} "

    def is_waited_for() -> bool:
        return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield is_waited_for
    finally:
        os.close(descriptor)
