"""What `consilium doctor` finds out about the work: does the broker let us in, and is each queue served by somebody?"""

from datetime import datetime, timedelta

from kombu import Connection

from config.settings import Settings
from config.values import broker_address
from gateway.domain.diagnosis import Step, step
from gateway.domain.work import QUEUES
from gateway.reachability import reach_host
from gateway.store.figures import Backlog
from workers.waiting import BROKER_ERRORS, reason_of

_TIMEOUT_S = 5.0
_PATIENCE = timedelta(minutes=1)
_REMEDIES = {  # https://www.rabbitmq.com/amqp-0-9-1-reference#constants
    403: "A wiped broker has lost its users. With Compose: docker compose restart rabbitmq; else: rabbitmqctl add_user"
    " and set_permissions. Or the password in broker_password_file is an old one.",
    530: "The virtual host at the end of broker_url is not there, or not for this user: rabbitmqctl add_vhost and"
    " set_permissions.",
}


def broker(settings: Settings) -> Step:
    """Reachable, and a login to its virtual host; nothing is declared or changed there."""
    address = broker_address(settings.broker_url)
    for each in reach_host(*address, is_tls=False, timeout_s=_TIMEOUT_S):
        if not each.is_ok:
            return Step("broker", False, each.detail, each.remedy)
    where = f"{address[0]}:{address[1]}"
    # kombu ships no types
    with Connection(settings.broker_url_resolved, connect_timeout=_TIMEOUT_S) as connection:  # type: ignore[no-untyped-call]
        try:
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            return Step("broker", True, f"{where} lets us in to the virtual host {connection.virtual_host}")
        except BROKER_ERRORS as exc:
            remedy = _REMEDIES.get(getattr(exc, "reply_code", 0) or 0, "Look into the broker's log.")
            return Step("broker", False, f"{where}: {reason_of(exc)}", remedy)


def workers(waiting: Backlog, now: datetime) -> Step:
    """Who serves which queue. A queue that nobody serves is a fault as soon as something is due in it."""
    at_work = waiting.at_work()
    troubles = sorted({f"{one.host} waits for the broker: {one.waits_for}" for one in waiting.workers if one.waits_for})
    overdue = {QUEUES[kind] for kind, since in waiting.overdue_since(now).items() if now - since > _PATIENCE}
    is_late = any(not at_work[queue] for queue in overdue)
    counted = ", ".join(f"{queue} {number}" for queue, number in at_work.items())
    detail = "; ".join([f"at work for {counted}", *troubles])
    remedy = "Run consilium worker, and see that worker.queues of one names each queue; its log says why one ended."
    return step("workers", not troubles and not is_late, detail, remedy)
