"""What the programs of a distributed town stand on, each behind a wire."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.faults.wire import Wire
from tests.peers.moto import Moto
from tests.peers.postgres import Postgres
from tests.peers.processes import LOOPBACK
from tests.peers.rabbitmq import RabbitMQ


@dataclass(frozen=True)
class Servers:
    """The ones that are killed; the wires database, broker and bucket; and the settings that lead through them."""

    postgres: Postgres
    broker: RabbitMQ
    wires: dict[str, Wire]
    settings: dict[str, str]


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Started, with an empty database and an empty bucket."""
    folder.mkdir()
    with ExitStack() as stack:
        postgres, broker = stack.enter_context(Postgres()), stack.enter_context(RabbitMQ())
        moto = stack.enter_context(Moto())
        ports = {"database": postgres.port, "broker": broker.port, "bucket": moto.port}
        wires = {name: stack.enter_context(Wire(port)) for name, port in ports.items()}
        database_url = postgres.create_database("consilium")
        settings = {
            "CONSILIUM_DATABASE_URL": database_url.replace(f":{postgres.port}/", f":{wires['database'].port}/"),
            "CONSILIUM_BROKER_URL": broker.url.replace(f":{broker.port}/", f":{wires['broker'].port}/"),
            "CONSILIUM_BLOBS__BUCKET": moto.create_bucket().name,
            "CONSILIUM_BLOBS__ENDPOINT": f"http://{LOOPBACK}:{wires['bucket'].port}",
            "CONSILIUM_BLOBS__CONNECT_TIMEOUT_S": "1",
            "CONSILIUM_BLOBS__RESPONSE_TIMEOUT_S": "2",
            "CONSILIUM_BLOBS__RETRY_S": "2",
        }
        for name in ("access_key", "secret_key"):
            key = folder / name
            key.write_text("any\n", encoding="ascii")
            settings[f"CONSILIUM_BLOBS__{name.upper()}_FILE"] = str(key)
        yield Servers(postgres, broker, wires, settings)
