"""The peers of the journey, started once for a test process."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.gateway import Gateway
from tests.acceptance.scene import PACS_AE_TITLE
from tests.acceptance.stage import Stage
from tests.acceptance.theatre import Theatre, open_theatre
from tests.peers.dcmtk import StoreScp
from tests.peers.orthanc import Orthanc
from tests.peers.postgres import Postgres
from tests.peers.rabbitmq import RabbitMQ
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_pacs import StrictPacs

_SETTINGS = ["embedded", "distributed"]

signal.signal(signal.SIGTERM, signal.default_int_handler)  # who stops the tests stops what they have started, too


@pytest.fixture(scope="session")
def reviewer_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Orthanc as the reviewer's node."""
    with Orthanc(ae_title="REVIEWER", folder=tmp_path_factory.mktemp("reviewer")) as orthanc:
        yield orthanc


@pytest.fixture(params=_SETTINGS)
def deployment(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The embedded default; and PostgreSQL and RabbitMQ, with each program started by its own command."""
    if request.param == "embedded":
        yield {}
        return
    with Postgres() as server, RabbitMQ() as broker:
        url = server.create_database("consilium")
        yield {"by_command": True, "CONSILIUM_DATABASE_URL": url, "CONSILIUM_BROKER_URL": broker.url}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for what the hospital sends."""
    return tmp_path / "files"


@pytest.fixture(scope="module", params=_SETTINGS if "SOAK" in os.environ else _SETTINGS[:1])
def theatre(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """A gateway whose worker is killed and started by the test; `make soak` does it on either setting."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "distributed":
            server, broker = stack.enter_context(Postgres()), stack.enter_context(RabbitMQ())
            settings["CONSILIUM_DATABASE_URL"] = server.create_database("consilium")
            settings["CONSILIUM_BROKER_URL"] = broker.url
        yield stack.enter_context(open_theatre(tmp_path_factory.mktemp("theatre"), settings))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway between strict peers, for tests that touch nothing but the case each of them opens."""
    folder = tmp_path_factory.mktemp("stage")
    with (
        StrictPacs(PACS_AE_TITLE) as pacs,
        StrictEhr() as ehr,
        StoreScp("REVIEWER", folder=folder / "reviewer") as node,
        Gateway(folder / "gateway", CONSILIUM_DELIVERY__RESPONSE_TIMEOUT_S="5") as gateway,
    ):
        yield Stage(gateway, pacs=pacs, ehr=ehr, node=node)
