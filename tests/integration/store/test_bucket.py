"""What is particular to a bucket: how it ages, who takes turns, and what it refuses."""

import hashlib
import socket
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
from obstore.exceptions import GenericError, PermissionDeniedError

from config.errors import UnusableSettings
from config.settings import Settings, load_settings
from gateway.cli.checks import checked
from gateway.demo import resources as demo
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Full, GatewayError, NotFound, Permanent, Transient
from gateway.services import delivery
from gateway.services.intake import receive
from gateway.services.outside import Outside
from gateway.services.sweeping import Swept, sweep
from gateway.store import deliveries
from gateway.store.blobs_s3 import S3Blobs
from gateway.store.bucket import open_bucket, store_errors
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from gateway.wiring import open_blobs, open_core, open_database, start_core
from tests.integration.store.buckets import LEFTOVER_AGE, now, s3_blobs
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.peers.moto import Moto, bucket_at
from tests.peers.processes import LOOPBACK, free_port, wait_until


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
    assert blobs.remove_partial(before=time.time() + 60) == 0


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
        assert remover.remove_stale(digest, before=time.time() + 60)
        assert storing.is_alive()
    storing.join(timeout=20)
    assert remover.get(digest) == b"a document"


def test_scratch_objects_of_killed_processes_are_removed(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.create_bucket()
    blobs = s3_blobs(bucket, tmp_path, turn=lambda _name: nullcontext())
    digest = blobs.put(b"a study")
    obstore.put(open_bucket(bucket), "scratch/left", b"half")
    assert list(blobs.digests()) == [digest]
    assert blobs.remove_partial(before=time.time() - 60) == 0
    assert blobs.remove_partial(before=time.time() + 60) == 1
    assert blobs.remove_partial(before=time.time() + 60) == 0


def test_a_probe_leaves_nothing_behind(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.create_bucket()
    s3_blobs(bucket, tmp_path, turn=lambda _name: nullcontext()).probe()
    assert list(obstore.list(open_bucket(bucket))) == []


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
        def send(self, part10: bytes) -> int:
            sent.append(part10)
            return 0x0000

    def refuse(*_values: object, **_named: object) -> Any:
        raise AssertionError("nobody else is asked")

    return Outside(
        open_sender=lambda _address, _contexts: nullcontext(Association()),
        find_study=refuse,
        has_instance=refuse,
        deliver_report=refuse,
        render=refuse,
    )


@pytest.fixture
def settings(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a gateway whose blobs are in a bucket, its key in files."""
    monkeypatch.chdir(tmp_path)
    for name in ("access", "secret"):
        (tmp_path / f"{name}.key").write_text(f"AKIA{name}\n")
        monkeypatch.setenv(f"CONSILIUM_BLOBS__{name.upper()}_KEY_FILE", str(tmp_path / f"{name}.key"))
    monkeypatch.setenv("CONSILIUM_BLOBS__BUCKET", moto.create_bucket().name)
    monkeypatch.setenv("CONSILIUM_BLOBS__ENDPOINT", moto.endpoint)
    monkeypatch.setenv("CONSILIUM_STORAGE__MIN_FREE_BYTES", "0")
    return load_settings()


def test_the_settings_open_the_bucket(settings: Settings) -> None:
    database = open_database(settings)
    upgrade(database)
    database.dispose()
    core = open_core(settings)
    assert isinstance(open_blobs(settings, core.database), S3Blobs)
    assert core.blobs.get(core.blobs.put(b"a study")) == b"a study"
    assert not settings.blob_dir.exists()
    core.database.dispose()


def test_the_doctor_tries_the_bucket_out(settings: Settings) -> None:
    assert {step.name: step.is_ok for step in checked(settings)}["bucket"]
    away = settings.model_copy(update={"blobs": settings.blobs.model_copy(update={"bucket": "nowhere"})})
    [found] = [step for step in checked(away) if step.name == "bucket"]
    assert not found.is_ok
    assert "no such bucket" in found.detail
    assert "AKIA" not in found.detail + found.remedy


def test_a_key_without_its_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("CONSILIUM_BLOBS__SECRET_KEY_FILE", "")
    with pytest.raises(UnusableSettings, match="belong together"):
        load_settings()


def test_a_key_file_that_is_empty_stops_the_start(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(UnusableSettings, match=r"blobs\.secret_key_file: the file is empty"):
        open_core(settings)


def test_what_is_missing_is_missing_however_full_the_spool_is(moto: Moto, database: Database, tmp_path: Path) -> None:
    blobs = s3_blobs(moto.create_bucket(), tmp_path, turn=database.turn, min_free_bytes=1 << 62)
    nothing = hashlib.sha256(b"nothing").hexdigest()
    for read in (lambda: blobs.get(nothing), lambda: list(blobs.stream(nothing))):
        with pytest.raises(NotFound):
            read()


def test_a_machine_with_another_bucket_or_none_does_not_start(settings: Settings, moto: Moto) -> None:
    database = open_database(settings)
    upgrade(database)
    database.dispose()
    for _ in range(2):  # it comes back to its own
        core = start_core(settings)
        core.blobs.check()
        core.database.dispose()
    for bucket in ("", moto.create_bucket().name):
        elsewhere = settings.model_copy(update={"blobs": settings.blobs.model_copy(update={"bucket": bucket})})
        with pytest.raises(Permanent, match="is not the blob store of this installation"):
            start_core(elsewhere)


def test_a_second_installation_does_not_start_on_the_bucket_of_the_first(settings: Settings, tmp_path: Path) -> None:
    first, own = (settings.model_copy(update={"data_dir": tmp_path / name}) for name in ("first", "second"))
    for one in (first, own):
        database = open_database(one)
        upgrade(database)
        database.dispose()
    start_core(first).database.dispose()
    with pytest.raises(Permanent, match="is the blob store of another installation"):
        start_core(own)
    core = open_core(own)
    with pytest.raises(Transient, match="is the blob store of another installation"):
        core.blobs.put(b"a study")
    core.database.dispose()
    [found] = [step for step in checked(own) if step.name == "installation's blob store"]
    assert "is the blob store of another installation" in found.remedy
    elsewhere = own.model_copy(update={"blobs": own.blobs.model_copy(update={"prefix": "second"})})
    start_core(elsewhere).database.dispose()
