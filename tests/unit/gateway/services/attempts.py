"""Attempts at a delivery whose exit is replaced, one after the other."""

from collections.abc import Callable
from typing import cast

import pytest

from gateway.domain.delivery import Receipt
from gateway.domain.record import Delivery
from gateway.domain.work import JobKind
from gateway.services import delivery as sending
from gateway.services.core import Core
from gateway.services.outside import Outside
from gateway.services.sending import Sending
from gateway.services.work import run_job
from gateway.store import outbox
from tests.unit.gateway.services.scenery import Scenery

OUTSIDE = cast(Outside, None)
"""The exit of these tests is replaced, and asks for nothing."""
Exit = Callable[[Core, Sending, Outside], Receipt]


class Destination:
    """Fails with each of the errors in turn, then takes what it is sent; remembers what each attempt knew."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.may_have_left: list[bool] = []
        self.has_just_left: list[bool] = []

    def __call__(self, core: Core, attempt: Sending, _outside: Outside) -> Receipt:
        self.may_have_left.append(attempt.may_have_left)
        self.has_just_left.append(attempt.has_just_left)
        if self.errors:
            raise self.errors.pop(0)
        return Receipt(core.now(), "0x0000", "NODE", attempt.delivery.payload_sha256)


def put_in(scenery: Scenery, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> Destination:
    destination = Destination(*errors)
    monkeypatch.setitem(sending.EXITS, delivery.kind, cast(Exit, destination))
    enqueue(scenery, delivery)
    return destination


def enqueue(scenery: Scenery, delivery: Delivery) -> str:
    with scenery.core.database.write("test") as connection:
        now, endpoint_id = scenery.clock(), delivery.endpoint_id
        kind, case_id = JobKind.DELIVERY_SEND, delivery.case_id
        return outbox.enqueue(connection, kind, delivery.id, case_id=case_id, now=now, endpoint_id=endpoint_id)


def attempt(scenery: Scenery, delivery: Delivery) -> None:
    job_id = enqueue(scenery, delivery)
    run_job(scenery.core, job_id, {JobKind.DELIVERY_SEND: lambda job: sending.send(scenery.core, job, outside=OUTSIDE)})
    scenery.clock.forward(seconds=5)


def unsettled_job(scenery: Scenery, delivery: Delivery) -> str:
    with scenery.core.database.read() as connection:
        row = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
    assert row is not None
    return str(row.id)
