"""The worker tells its adapters what the settings say."""

from functools import partial
from pathlib import Path

import pytest

from config.settings import load_settings
from gateway.domain.work import JobKind
from gateway.services.outside import Outside
from workers.app import Worker
from workers.ehr.client import Wiring


@pytest.mark.parametrize("response_s", [5.0, 300.0])
def test_an_ehr_may_take_as_long_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, response_s: float
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CONSILIUM_DELIVERY__CONNECT_TIMEOUT_S", "3")
    monkeypatch.setenv("CONSILIUM_DELIVERY__RESPONSE_TIMEOUT_S", str(response_s))
    worker = Worker(load_settings())
    send = worker.handlers[JobKind.DELIVERY_SEND]
    worker.core.database.dispose()
    assert isinstance(send, partial)
    outside: Outside = send.keywords["outside"]
    assert isinstance(outside.deliver_report, partial)
    wiring: Wiring = outside.deliver_report.keywords["wiring"]
    assert wiring.limits.read_timeout_s == response_s
    assert wiring.limits.total_timeout_s == 3 + 2 * response_s
