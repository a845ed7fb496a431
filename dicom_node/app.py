"""Composition root of the DICOM node: settings -> a listening port whose objects become durable."""

import signal
import ssl
import threading
from functools import partial

from config.groups import Dicom
from config.settings import Settings
from dicom_node.scp import (
    NodeMetrics,
    NodeSettings,
    ReceivedInstance,
    Refusal,
    RunningNode,
    server_context,
    start_node,
)
from gateway.disk_figures import DiskFigures
from gateway.domain import trace
from gateway.domain.network import address_of, counted
from gateway.domain.party import Endpoint
from gateway.process import prepare_process, serve_metrics
from gateway.services.core import Core
from gateway.services.denial_limit import DenialLimit
from gateway.services.denials import NODE, record_association_denial
from gateway.services.intake import Arrival, receive
from gateway.store import parties
from gateway.wiring import start_core


def run_node(settings: Settings) -> None:
    """Listen until SIGTERM or SIGINT; what is complete by then is committed and acknowledged."""
    prepare_process(settings, "dicom-node")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    metrics = NodeMetrics(DiskFigures(settings.data_dir, settings.storage.min_free_bytes))
    serve_metrics(settings.dicom.metrics_host, settings.dicom.metrics_port, metrics.registry)
    core, limit = start_core(settings, "dicom-node"), DenialLimit()
    node = open_node(settings, core, metrics, limit)
    ended.wait()
    node.stop()
    limit.sum_up(core.database, actor=NODE, now=core.now(), is_end=True)
    trace.flush()


def open_node(settings: Settings, core: Core, metrics: NodeMetrics, limit: DenialLimit | None = None) -> RunningNode:
    """Start listening. A PACS is known by its AE title from the moment it is registered, without a restart."""

    def find_caller(ae_title: str) -> Endpoint | None:
        with core.database.read() as connection:
            return parties.pacs_by_ae_title(connection, ae_title)

    def keep(received: ReceivedInstance) -> None:
        receive(
            core,
            Arrival(
                path=received.spool_path,
                header=received.header,
                blob_sha256=received.sha256,
                size_bytes=received.size_bytes,
                endpoint=received.caller,
                association_id=received.association_id,
            ),
        )

    return start_node(
        _node_settings(settings),
        find_caller=find_caller,
        receive=keep,
        refused=partial(_remember, core, limit or DenialLimit()),
        metrics=metrics,
    )


def _remember(core: Core, limit: DenialLimit, refusal: Refusal) -> None:
    address = counted(address_of(refusal.host))
    limit.sum_up(core.database, actor=NODE, now=core.now())
    record = partial(
        record_association_denial,
        core.database,
        reason=refusal.reason,
        address=address,
        calling_ae_title=refusal.calling_ae_title,
        now=refusal.at,
    )
    limit.leave(record, address, now=refusal.at)


def _node_settings(settings: Settings) -> NodeSettings:
    dicom = settings.dicom
    return NodeSettings(
        spool_folder=settings.spool_dir,
        ae_title=dicom.ae_title,
        host=dicom.host,
        port=dicom.port,
        tls_port=dicom.tls_port,
        tls=_tls(dicom) if dicom.tls_port else None,
        max_pdu_bytes=dicom.max_pdu_bytes,
        max_associations=dicom.max_associations,
        max_associations_per_peer=dicom.max_associations_per_peer,
        association_timeout_s=dicom.acse_timeout_s,
        pdu_timeout_s=dicom.dimse_timeout_s,
        idle_timeout_s=dicom.network_timeout_s,
        reserve_bytes=settings.storage.min_free_bytes,
        extra_sop_classes=dicom.extra_sop_classes,
    )


def _tls(dicom: Dicom) -> ssl.SSLContext:
    return server_context(dicom.tls_certificate_file, dicom.tls_key_file, dicom.tls_ca_file)
