"""Is the process alive, and is it able to work?

A problem keeps it from answering requests: a balancer should ask another one. A warning is for a person: what arrives
is kept all the same, and the work waits.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from flask import Blueprint, Response, jsonify

from gateway.domain.errors import GatewayError
from gateway.domain.work import QUEUES
from gateway.reachability import reach_host
from gateway.services.restore_hold import held_back
from gateway.store import audit_exports
from gateway.store.audit_exports import SYSLOG, Exported
from gateway.store.disk import require_room
from gateway.store.figures import Backlog, backlog
from gateway.store.readiness import database_problems
from gateway.web.edge import Edge
from gateway.web.errors import RETRY_AFTER_S

_BROKER_TIMEOUT_S = 1.0
_Findings = Mapping[str, list[str]]


def blueprint(edge: Edge) -> Blueprint:
    """`/healthz` and `/readyz`."""
    routes = Blueprint("health", __name__)
    routes.add_url_rule("/healthz", "healthz", _alive)
    routes.add_url_rule("/readyz", "readyz", partial(_ready, edge))
    return routes


def _alive() -> Response:
    return jsonify(status="alive")


def _ready(edge: Edge) -> Response:
    """Only the checks that found something, a sentence each; 503 where one of them is a problem."""
    checks = {"database": database_problems(edge.database), "storage": _store(edge), "disk": _disk(edge)}
    problems = _found(checks | {"key": _key(edge)})
    work = {} if "database" in problems else _work(edge)
    warnings = _found({**work, "broker": [*_broker(edge), *work.get("broker", [])]})
    told: dict[str, object] = {"status": "not ready" if problems else "ready"}
    told |= {name: found for name, found in (("problems", problems), ("warnings", warnings)) if found}
    answer = Response(json.dumps(told, indent=2) + "\n", 503 if problems else 200, mimetype="application/json")
    if problems:
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def _found(checks: _Findings) -> _Findings:
    return {name: sentences for name, sentences in checks.items() if sentences}


def _store(edge: Edge) -> list[str]:
    try:
        edge.blobs.check()
    except GatewayError as failure:
        return [str(failure)]
    return []


def _disk(edge: Edge) -> list[str]:
    """The spool and, without a server, the database are on it, wherever the blobs are."""
    around = edge.surroundings
    try:
        require_room(around.data_folder, 0, reserve_bytes=around.reserve_bytes)
    except GatewayError:
        reserve = f"less than storage.min_free_bytes ({around.reserve_bytes}) is free"
        return [f"{reserve} on the disk of data_dir, or it cannot be used: free some space, then run consilium doctor"]
    return []


def _key(edge: Edge) -> list[str]:
    """Compared at the start already, where the database was there to tell."""
    found = edge.surroundings.key_problem()
    return [found] if found else []


def _broker(edge: Edge) -> list[str]:
    if edge.surroundings.broker is None:
        return []
    steps = reach_host(*edge.surroundings.broker, is_tls=False, timeout_s=_BROKER_TIMEOUT_S)
    return [f"{step.detail} {step.remedy} Work waits in the outbox." for step in steps if not step.is_ok]


def _work(edge: Edge) -> _Findings:
    now, patience = edge.now(), timedelta(seconds=edge.surroundings.overdue_after_s)
    try:
        with edge.database.read() as connection:
            waiting = backlog(connection, now)
            restored = _restored(len(held_back(connection)))
            exported = audit_exports.known(connection, SYSLOG)
    except GatewayError as failure:
        return {"outbox": [str(failure)]}
    found = {"outbox": _overdue(waiting, now, patience), "workers": _workers(waiting, now, patience)}
    found |= {"broker": _kept_from_work(waiting), "restored": restored}
    return found | {"syslog": _unexported(exported, now, patience)}


def _restored(count: int) -> list[str]:
    """Which clinics they are is for the administrator: anybody may ask here."""
    waiting = "1 clinic" if count == 1 else f"{count} clinics"
    return [f"nothing leaves for cases of {waiting} since a restore: run consilium doctor"] if count else []


def _overdue(waiting: Backlog, now: datetime, patience: timedelta) -> list[str]:
    return [
        f"the oldest due {kind} of the queue {QUEUES[kind]} has waited {_minutes(now - since)} for a worker"
        for kind, since in waiting.overdue_since(now).items()
        if now - since > patience
    ]


def _workers(waiting: Backlog, now: datetime, patience: timedelta) -> list[str]:
    found = []
    if waiting.orphans:
        found.append(f"{waiting.orphans} jobs were left by a worker that died, and no worker has taken them over")
    since = waiting.unsealed_since
    if since is not None and now - since > patience:
        found.append(f"audit rows have waited {_minutes(now - since)} for a worker to seal them: run consilium worker")
    remedy = "run consilium worker, and see that worker.queues of one names it"
    return found + [f"no worker does the queue {queue}: {remedy}" for queue in waiting.unserved()]


def _unexported(exported: Exported | None, now: datetime, patience: timedelta) -> list[str]:
    """Audit rows wait for their collector, and are kept meanwhile."""
    since = exported.failing_since if exported else None
    if exported is None or since is None or now - since <= patience:
        return []
    return [f"audit rows have not reached syslog for {_minutes(now - since)}: {exported.last_error}"]


def _kept_from_work(waiting: Backlog) -> list[str]:
    troubles = sorted({(one.host, one.waits_for) for one in waiting.workers if one.waits_for})
    return [f"a worker on {host} waits for the broker: {trouble}; run consilium doctor" for host, trouble in troubles]


def _minutes(age: timedelta) -> str:
    return f"{age // timedelta(minutes=1)} minutes"
