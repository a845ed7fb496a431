"""Composition root of the workers: settings -> adapters -> handlers, the relay, and one of two ways to dispatch."""

import logging
import signal
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cached_property, partial
from platform import node

from config.settings import Settings
from dicom_node import scu
from dicom_node.encapsulated_pdf import ObjectReference, StudyIdentity
from gateway.disk_figures import DiskFigures
from gateway.domain import trace
from gateway.domain.destruction import RetentionPolicy
from gateway.domain.party import DicomAddress
from gateway.domain.work import QUEUES, JobKind
from gateway.process import prepare_process, serve_metrics
from gateway.services import (
    anchoring,
    audit_export,
    closing,
    delivery,
    document_release,
    indexing,
    matching,
    overdue,
    recheck,
    release,
    rendering,
    retention,
)
from gateway.services.core import Core
from gateway.services.outside import ObjectSender, Outside
from gateway.services.recurring import begin_recurring
from gateway.services.sweeping import sweep
from gateway.services.work import Handler, run_job
from gateway.wiring import start_core
from workers.beginning import keep_begun
from workers.dispatch import Broker, Executor, celery_settings
from workers.ehr.capability import CapabilityCache
from workers.ehr.client import Wiring
from workers.ehr.exchange import Limits
from workers.ehr.report import deliver_report
from workers.listener import keep_listening
from workers.metrics import WorkerMetrics
from workers.pools import PatientConsumer, queue_pools
from workers.presence import Presence
from workers.relay import Dispatcher, Relay
from workers.rendering import render_report
from workers.sweeper import keep_swept
from workers.syslog import SyslogAddress, send_messages
from workers.tasks import GatewayCelery
from workers.transport import ANSWERS_WITHIN_S
from workers.waiting import Waiting

_PATIENCE_WITH_RELAY_S = 2 * ANSWERS_WITHIN_S
"""At the end: what it waits for has an end, and nothing is lost where it is left behind."""


class Worker:
    """One worker process: its stores, its adapters, its handlers, and the Celery application over them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = WorkerMetrics(DiskFigures(settings.data_dir, settings.storage.min_free_bytes))
        self._news = threading.Event()
        self._broker_waiting = Waiting("broker.waiting")
        self._troubles: tuple[Waiting, ...] = (self._broker_waiting,)
        self.celery = GatewayCelery(do=self.do, broker=settings.broker_url_resolved or None)
        self.celery.conf.update(celery_settings(settings.broker_url_resolved))

    @property
    def queues(self) -> list[str]:
        """The kinds of work that are done here: those of the settings, else all."""
        return sorted(self.settings.worker.queues or set(QUEUES.values()))

    @cached_property
    def core(self) -> Core:
        """Opened once, at the first use."""
        return start_core(self.settings, "worker")

    @cached_property
    def handlers(self) -> dict[JobKind, Handler]:
        """What each kind of job does."""
        core, outside = self.core, _outside(self.settings, self.core)
        policy = RetentionPolicy.of_days(**self.settings.retention.model_dump())
        return {
            JobKind.STUDY_SETTLE: partial(matching.settle, core),
            JobKind.STUDY_RELEASE: partial(release.release_study, core),
            JobKind.DOCUMENT_RELEASE: partial(document_release.release_document, core),
            JobKind.REPORT_RENDER: partial(rendering.render, core, renderer=outside.render),
            JobKind.DELIVERY_SEND: partial(delivery.send, core, outside=outside),
            JobKind.CASE_RECHECK: partial(recheck.recheck, core),
            JobKind.DELIVERY_OVERDUE: partial(overdue.ask_about_overdue, core),
            JobKind.CASE_CLOSING: partial(closing.close_due, core, policy=policy),
            JobKind.RETENTION: partial(retention.destroy_due, core, policy=policy),
            JobKind.AUDIT_ANCHOR: partial(anchoring.anchor_due, core, folder=self.settings.anchor_dir),
            JobKind.AUDIT_EXPORT: partial(audit_export.export_due, core, send=_syslog(self.settings), host=node()),
            JobKind.RESOURCE_INDEX: partial(indexing.index_due, core),
        }

    def do(self, job_id: str) -> bool:
        """Do one job, if it is to be had."""
        is_done = run_job(self.core, job_id, self.handlers, self.metrics.ended)
        if is_done:
            self._news.set()  # what it put into the outbox need not wait for the next poll
        return is_done

    def relay(self, dispatcher: Dispatcher) -> Relay:
        """The relay of this process."""
        core, poll_s = self.core, self.settings.worker.poll_s
        return Relay(core.database, dispatcher, now=core.now, policy=core.destinations, poll_s=poll_s, news=self._news)

    def listen_to_broker(self, broker: Broker) -> None:
        """What Celery's consumer meets there is told to the relay's side, and to whoever asks for this worker."""

        def connected() -> None:
            self._broker_waiting.over()
            broker.reconnected()

        self.celery.on_connected = connected
        self.celery.on_trouble = self._broker_waiting.because
        self._troubles = (self._broker_waiting, broker.waiting)

    @property
    def waits_for(self) -> str:
        """What keeps this worker from its work now; '' for nothing."""
        return next((one.reason for one in self._troubles if one.reason), "")

    def begin_sweeping(self, ended: threading.Event) -> None:
        """Sweep in a thread beside the work; one that is cut off has lost nothing."""
        storage = self.settings.storage
        min_age = timedelta(seconds=storage.leftover_age_s)
        once = partial(sweep, self.core, self.settings.spool_dir, min_age=min_age)
        repeat = partial(keep_swept, once, ended, period_s=storage.sweep_period_s)
        threading.Thread(target=repeat, name="sweeper", daemon=True).start()

    def begin_listening(self, ended: threading.Event) -> None:
        """Hear in a thread beside the work of what other processes put into the outbox, where the relay is to know."""
        listened = [self.core.database, self._news, ended]
        threading.Thread(target=keep_listening, args=listened, name="listener", daemon=True).start()

    def begin_recurring(self, ended: threading.Event) -> None:
        """See in a thread beside the work that what comes back by itself has its rows."""
        begin = partial(begin_recurring, self.core)
        threading.Thread(target=keep_begun, args=[begin, ended], name="beginning", daemon=True).start()


def run_worker(settings: Settings) -> None:
    """Relay and work until SIGTERM or SIGINT; what runs is allowed to end."""
    prepare_process(settings, "worker")
    work(Worker(settings))


def work(worker: Worker) -> None:
    """The same with a worker as it is."""
    settings = worker.settings
    worker.handlers  # noqa: B018  # wire everything before the first job, so that a mistake stops the start
    serve_metrics(settings.worker.metrics_host, settings.worker.metrics_port, worker.metrics.registry)
    core = worker.core
    presence = Presence(core.database, now=core.now, queues=worker.queues, waits_for=lambda: worker.waits_for)
    presence.start()
    if settings.broker_url_resolved:
        _run_on_broker(worker)
    else:
        _run_embedded(worker)
    presence.end()
    trace.flush()


def _run_embedded(worker: Worker) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    options = worker.settings.worker
    executor = Executor(worker.queues, threads=options.threads, in_flight=options.in_flight)
    worker.begin_sweeping(ended)
    worker.begin_recurring(ended)
    worker.begin_listening(ended)
    worker.relay(executor).run(ended)
    executor.stop()


def _run_on_broker(worker: Worker) -> None:
    """The relay, if this worker has one, in a thread beside Celery's own consumer, which handles the signals."""
    ended, options = threading.Event(), worker.settings.worker
    broker = Broker(worker.core.database, in_flight=options.in_flight, now=worker.core.now)
    relay = threading.Thread(target=worker.relay(broker).run, args=[ended], name="relay", daemon=True)
    worker.listen_to_broker(broker)
    if options.relay:
        worker.begin_listening(ended)
        relay.start()
    worker.begin_sweeping(ended)
    worker.begin_recurring(ended)
    worker.celery.Worker(
        pool=queue_pools(options.threads),
        consumer_cls=PatientConsumer,
        concurrency=1,
        queues=worker.queues,
        loglevel=logging.WARNING,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,  # an event every 2 s that nobody listens to, and for which a full broker is waited
    ).start()
    ended.set()
    if options.relay:
        relay.join(_PATIENCE_WITH_RELAY_S)


def _syslog(settings: Settings) -> audit_export.Sender | None:
    """Sends audit rows to the collector of the settings; None without one."""
    syslog = settings.syslog
    if not syslog.host:
        return None
    files = {"ca_file": syslog.ca_file, "certificate_file": syslog.certificate_file, "key_file": syslog.key_file}
    return partial(send_messages, SyslogAddress(syslog.host, syslog.port, **files))


def _outside(settings: Settings, core: Core) -> Outside:
    """The adapters, told who we are and how long to wait."""
    ours, waits = settings.dicom.ae_title, settings.delivery
    timeouts = scu.Timeouts(connect_s=waits.connect_timeout_s, response_s=waits.response_timeout_s)
    limits = Limits(
        connect_timeout_s=waits.connect_timeout_s,
        read_timeout_s=waits.response_timeout_s,
        total_timeout_s=waits.connect_timeout_s + 2 * waits.response_timeout_s,
    )
    wiring = Wiring(clock=core.now, limits=limits, look_again_after_s=waits.look_again_after_s)

    def open_sender(
        address: DicomAddress, contexts: frozenset[tuple[str, str]]
    ) -> AbstractContextManager[ObjectSender]:
        spool = settings.spool_dir
        return scu.open_sender(address, ours, contexts, timeouts, spool_folder=spool, may_decompress=True)

    def find_study(
        address: DicomAddress, study_instance_uid: str, *, before_send: Callable[[], None]
    ) -> Sequence[StudyIdentity]:
        return scu.find_study(address, ours, study_instance_uid, timeouts, before_send=before_send)

    def has_instance(address: DicomAddress, reference: ObjectReference, *, before_send: Callable[[], None]) -> bool:
        return scu.has_instance(address, ours, reference, timeouts, before_send=before_send)

    def find_instances(
        address: DicomAddress, study_instance_uid: str, *, before_send: Callable[[], None]
    ) -> Collection[str]:
        return scu.find_instances(address, ours, study_instance_uid, timeouts, before_send=before_send)

    return Outside(
        open_sender=open_sender,
        find_study=find_study,
        has_instance=has_instance,
        find_instances=find_instances,
        deliver_report=partial(deliver_report, wiring=wiring, capabilities=CapabilityCache()),
        render=partial(render_report, institution=core.institution),
        look_again_after_s=waits.look_again_after_s,
    )
