"""Composition root of the workers: settings -> adapters -> handlers, the relay, and one of two ways to dispatch."""

import signal
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cached_property, partial

from config.settings import Settings
from dicom_node import scu
from dicom_node.encapsulated_pdf import ObjectReference, StudyIdentity
from gateway.domain.party import DicomAddress
from gateway.domain.work import QUEUES, JobKind
from gateway.process import prepare_process
from gateway.services import delivery, document_release, matching, release, rendering
from gateway.services.core import Core
from gateway.services.outside import ObjectSender, Outside
from gateway.services.sweeping import sweep
from gateway.services.work import Handler, run_job
from gateway.wiring import open_core
from workers.dispatch import Broker, Executor, celery_settings
from workers.ehr.client import Wiring
from workers.ehr.exchange import Limits
from workers.ehr.report import deliver_report
from workers.relay import Dispatcher, Relay
from workers.rendering import render_report
from workers.sweeper import keep_swept
from workers.tasks import GatewayCelery


class Worker:
    """One worker process: its stores, its adapters, its handlers, and the Celery application over them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.celery = GatewayCelery(do=self.do, broker=settings.broker_url_resolved or None)
        self.celery.conf.update(celery_settings())

    @cached_property
    def core(self) -> Core:
        """Opened once, at the first use."""
        return open_core(self.settings)

    @cached_property
    def handlers(self) -> dict[JobKind, Handler]:
        """What each kind of job does."""
        core, outside = self.core, _outside(self.settings, self.core)
        return {
            JobKind.STUDY_SETTLE: partial(matching.settle, core),
            JobKind.STUDY_RELEASE: partial(release.release_study, core),
            JobKind.DOCUMENT_RELEASE: partial(document_release.release_document, core),
            JobKind.REPORT_RENDER: partial(rendering.render, core, renderer=outside.render),
            JobKind.DELIVERY_SEND: partial(delivery.send, core, outside=outside),
        }

    def do(self, job_id: str) -> bool:
        """Do one job, if it is to be had."""
        return run_job(self.core, job_id, self.handlers)

    def relay(self, dispatcher: Dispatcher) -> Relay:
        """The relay of this process."""
        core, poll_s = self.core, self.settings.worker.poll_s
        return Relay(core.database, dispatcher, now=core.now, policy=core.destinations, poll_s=poll_s)

    def begin_sweeping(self, ended: threading.Event) -> None:
        """Sweep in a thread beside the work; one that is cut off has lost nothing."""
        storage = self.settings.storage
        min_age = timedelta(seconds=storage.leftover_age_s)
        once = partial(sweep, self.core, self.settings.spool_dir, min_age=min_age)
        repeat = partial(keep_swept, once, ended, period_s=storage.sweep_period_s)
        threading.Thread(target=repeat, name="sweeper", daemon=True).start()


def run_worker(settings: Settings) -> None:
    """Relay and work until SIGTERM or SIGINT; what runs is allowed to end."""
    prepare_process(settings)
    worker = Worker(settings)
    worker.handlers  # noqa: B018  # wire everything before the first job, so that a mistake stops the start
    if settings.broker_url_resolved:
        _run_on_broker(worker)
    else:
        _run_embedded(worker)


def _run_embedded(worker: Worker) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    options = worker.settings.worker
    executor = Executor(threads=options.threads, in_flight=options.in_flight)
    worker.begin_sweeping(ended)
    worker.relay(executor).run(ended)
    executor.stop()


def _run_on_broker(worker: Worker) -> None:
    """The relay in a thread beside Celery's own consumer, which handles the signals."""
    ended, options = threading.Event(), worker.settings.worker
    broker = Broker(worker.core.database, in_flight=options.in_flight, now=worker.core.now)
    relay = threading.Thread(target=worker.relay(broker).run, args=[ended], name="relay", daemon=True)
    relay.start()
    worker.begin_sweeping(ended)
    queues = ",".join(sorted(set(QUEUES.values())))
    worker.celery.worker_main(
        ["worker", "--pool=threads", f"--concurrency={options.threads}", f"--queues={queues}", "--loglevel=WARNING"]
    )
    ended.set()
    relay.join()


def _outside(settings: Settings, core: Core) -> Outside:
    """The adapters, told who we are and how long to wait."""
    ours, waits = settings.dicom.ae_title, settings.delivery
    timeouts = scu.Timeouts(connect_s=waits.connect_timeout_s, response_s=waits.response_timeout_s)
    limits = Limits(connect_timeout_s=waits.connect_timeout_s, read_timeout_s=waits.response_timeout_s)

    def open_sender(
        address: DicomAddress, contexts: frozenset[tuple[str, str]]
    ) -> AbstractContextManager[ObjectSender]:
        return scu.open_sender(address, ours, contexts, timeouts, may_decompress=True)

    def find_study(address: DicomAddress, study_instance_uid: str) -> Sequence[StudyIdentity]:
        return scu.find_study(address, ours, study_instance_uid, timeouts)

    def has_instance(address: DicomAddress, reference: ObjectReference) -> bool:
        return scu.has_instance(address, ours, reference, timeouts)

    return Outside(
        open_sender=open_sender,
        find_study=find_study,
        has_instance=has_instance,
        deliver_report=partial(deliver_report, wiring=Wiring(clock=core.now, limits=limits)),
        render=partial(render_report, institution=core.institution),
    )
