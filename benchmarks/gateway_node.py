"""The gateway's DICOM node as production runs it, with one PACS registered; a process of its own for the benchmark."""

from datetime import UTC, datetime

from config.settings import load_settings
from dicom_node.app import run_node
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole, Party, PartyKind
from gateway.store import parties
from gateway.store.engine import Database
from gateway.store.schema import upgrade

CALLING_AE_TITLE = "BENCHMARK"


def main() -> None:
    """Settings come from the environment."""
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url_resolved)
    upgrade(database)
    now = datetime.now(UTC)
    with database.write("benchmark") as connection:
        parties.add_party(connection, Party("clinic", PartyKind.CLINIC, "clinic", (), "TR", "Europe/Istanbul"), now=now)
        address = DicomAddress(CALLING_AE_TITLE, "127.0.0.1", 104)
        endpoint = Endpoint("pacs", "pacs", "clinic", EndpointRole.PACS, dicom=address)
        parties.add_endpoint(connection, endpoint, now=now)
    database.dispose()
    run_node(settings)


if __name__ == "__main__":
    main()
