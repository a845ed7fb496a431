"""What is particular to a bucket: how what is in it ages, and who takes turns."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import obstore
import pytest

from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState
from gateway.services import delivery
from gateway.services.intake import receive
from gateway.services.outside import Outside
from gateway.services.sweeping import Swept, sweep
from gateway.store import deliveries
from gateway.store.bucket import open_bucket
from gateway.store.engine import Database
from tests.integration.store.buckets import LEFTOVER_AGE, now, s3_blobs
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.peers.moto import Moto, bucket_at
from tests.peers.processes import wait_until


@pytest.fixture
def bucket_stage(stage: Stage, moto: Moto, tmp_path: Path) -> Stage:
    blobs = s3_blobs(moto.create_bucket(), tmp_path, turn=stage.core.database.turn, clock=stage.core.now)
    stage.core = replace(stage.core, blobs=blobs)
    return stage


def _received(stage: Stage) -> str:
    [ds] = ct_series(slices=1)
    arrival = stage.arrival(ds)
    receive(stage.core, arrival)
    return arrival.blob_sha256


def _sweep(stage: Stage) -> Swept:
    return sweep(stage.core, stage.spool, min_age=LEFTOVER_AGE)


def test_an_orphan_goes_when_it_is_old_and_what_a_row_refers_to_stays(bucket_stage: Stage) -> None:
    kept = [_received(bucket_stage) for _ in range(3)]
    bucket_stage.core.blobs.put(b"an orphan")
    assert _sweep(bucket_stage).blobs == 0
    bucket_stage.ahead = 2 * LEFTOVER_AGE
    young = sorted(kept)
    assert _sweep(bucket_stage).blobs == 1
    assert list(bucket_stage.core.blobs.digests()) == young


@pytest.mark.parametrize("size", [7, 9 << 20])
def test_whoever_will_refer_to_an_old_blob_begins_its_age_anew(moto: Moto, tmp_path: Path, size: int) -> None:
    ahead = timedelta()
    bucket = moto.create_bucket()
    turns: list[str] = []

    def turn(name: str) -> nullcontext[None]:
        turns.append(name)
        return nullcontext()

    blobs = s3_blobs(bucket, tmp_path, turn=turn, clock=lambda: now() + ahead)
    digest = blobs.put(bytes(size))
    written = _last_modified(moto, bucket.name, digest)
    blobs.put(bytes(size))
    blobs.renew(digest)
    assert turns == []
    assert _last_modified(moto, bucket.name, digest) == written
    ahead = LEFTOVER_AGE
    for renew in (lambda: blobs.renew(digest), lambda: blobs.put(bytes(size))):
        _wait_for_another_last_modified(written)
        renew()
        assert _last_modified(moto, bucket.name, digest) > written
        written = _last_modified(moto, bucket.name, digest)
    assert turns == [f"blob {digest}"] * 2
    assert blobs.get(digest) == bytes(size)
    assert blobs.remove_partial(before_s=time.time() + 60) == 0


def _wait_for_another_last_modified(written: float) -> None:
    wait_until(lambda: time.time() > written + 1, timeout_s=5, waiting_for="the next second, since it has no parts")


def _last_modified(moto: Moto, bucket: str, digest: str) -> float:
    head = obstore.head(open_bucket(bucket_at(moto.endpoint, bucket)), digest)
    return head["last_modified"].timestamp()


def test_whoever_stores_while_a_blob_is_being_removed_waits_and_stores_it_anew(
    moto: Moto, database: Database, tmp_path: Path
) -> None:
    bucket, asked = moto.create_bucket(), threading.Event()

    @contextmanager
    def turn(name: str) -> Iterator[None]:
        asked.set()
        with database.turn(name):
            yield

    storer = s3_blobs(bucket, tmp_path, turn=turn, clock=lambda: now() + 2 * LEFTOVER_AGE)
    remover = s3_blobs(bucket, tmp_path, turn=lambda _name: nullcontext())
    digest = storer.put(b"a document")
    storing = threading.Thread(target=storer.put, args=[b"a document"])
    with database.turn(f"blob {digest}"):
        storing.start()
        assert asked.wait(timeout=10)
        assert remover.remove_stale(digest, before_s=time.time() + 60)
        assert storing.is_alive()
    storing.join(timeout=20)
    assert remover.get(digest) == b"a document"


def test_scratch_objects_of_killed_processes_are_removed(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.create_bucket()
    blobs = s3_blobs(bucket, tmp_path, turn=lambda _name: nullcontext())
    digest = blobs.put(b"a study")
    obstore.put(open_bucket(bucket), "scratch/left", b"half")
    assert list(blobs.digests()) == [digest]
    assert blobs.remove_partial(before_s=time.time() - 60) == 0
    assert blobs.remove_partial(before_s=time.time() + 60) == 1
    assert blobs.remove_partial(before_s=time.time() + 60) == 0


def test_a_probe_leaves_nothing_behind(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.create_bucket()
    s3_blobs(bucket, tmp_path, turn=lambda _name: nullcontext()).probe()
    assert list(obstore.list(open_bucket(bucket))) == []


def test_a_study_reaches_the_reviewer_by_way_of_the_bucket(bucket_stage: Stage) -> None:
    """Received, de-identified, sent: every byte through the bucket."""
    data = bucket_stage.case_data()
    bucket_stage.post(demo.clinic_bundle(data, b"%PDF-1.7 a pathology report"))
    for ds in ct_series(slices=2, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(bucket_stage.core, bucket_stage.arrival(ds))
    assert list(bucket_stage.spool.glob("*.dcm")) == []
    bucket_stage.ahead += bucket_stage.core.quiet_period * 2
    sent: list[bytes] = []
    bucket_stage.work(send=partial(delivery.send, bucket_stage.core, outside=_reviewer(sent)))
    with bucket_stage.core.database.read() as connection:
        [delivered] = deliveries.listed(connection)
        items = deliveries.items(connection, delivered.id)
    assert delivered.state is DeliveryState.DELIVERED
    assert [hashlib.sha256(content).hexdigest() for content in sent] == [item.blob_sha256 for item in items]
    assert len(sent) == 2
    bucket_stage.ahead += 2 * LEFTOVER_AGE
    assert _sweep(bucket_stage) == Swept(blobs=0, partial_blobs=0, spool_files=0)


def _reviewer(sent: list[bytes]) -> Outside:
    class Association:
        def send(self, part10: bytes, *, before_send: Callable[[], None] = lambda: None) -> int:
            before_send()
            sent.append(part10)
            return 0x0000

    def refuse(*_values: object, **_named: object) -> Any:
        raise AssertionError("nobody else is asked")

    return Outside(
        open_sender=lambda _address, _contexts: nullcontext(Association()),
        find_study=refuse,
        has_instance=refuse,
        find_instances=refuse,
        deliver_report=refuse,
        render=refuse,
        look_again_after_s=60,
    )
